import { expect, test } from 'vitest'
import type { PartitionedTable } from '../../../src/store/schema/partitioned.ts'
import { at, attestationOf, newDeviceId, refusalOf, type StoreUnderTest } from '../fixtures.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** History in partitions by time. The witness is the catalog: `pg_inherits` and `pg_class`. */
export function partitionsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const keep = (table: PartitionedTable, now: Date, before = new Date(0)) =>
    store().keepPartitions({ table, before, now })
  const record = (deviceId: string, when: Date, nonceId?: string) => {
    const seconds = (when.getTime() - at(0).getTime()) / 1000
    return store().recordAttestation(
      attestationOf({ deviceId, at: seconds, ...(nonceId !== undefined && { nonceId }) }),
    )
  }
  const partitions = async (table: string) => {
    const rows = await subject().query(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = '${table}'::regclass order by 1`,
    )
    return rows.map(({ name }) => String(name))
  }
  /** Where the rows of a device are. */
  const placesOf = async (table: string, deviceId: string) => {
    const rows = await subject().query(
      `select tableoid::regclass::text as place from ${table} where device_id = '${deviceId}' order by 1`,
    )
    return rows.map(({ place }) => place)
  }
  const day = (text: string) => new Date(`${text}T00:00:00Z`)

  test('partitions are made ahead, once, by however many do it at once', async () => {
    const now = new Date('2031-01-15T10:00:00Z')
    const made = await Promise.all(Array.from({ length: 8 }, () => keep('spent_nonce', now)))
    expect(made.reduce((sum, one) => sum + one.made, 0)).toBe(4)
    expect(made.every(({ missing, isLate }) => !missing && !isLate)).toBe(true)
    expect(await partitions('spent_nonce')).toEqual([
      'spent_nonce_2031011500',
      'spent_nonce_2031011600',
      'spent_nonce_2031011700',
      'spent_nonce_2031011800',
      'spent_nonce_default',
    ])
    const again = { made: 0, dropped: null, missing: 0, fault: null, isLate: false }
    expect(await keep('spent_nonce', now)).toEqual(again)
    // The catalog: no time between them that is in none.
    const bounds = await subject().query(
      `select lower::text, upper::text from partitions_of('spent_nonce') order by lower`,
    )
    for (const [index, { lower }] of bounds.entries()) {
      if (index > 0) expect(lower).toBe(bounds[index - 1]?.upper)
    }
    expect(await keep('spent_nonce', new Date(now.getTime() + DAY))).toMatchObject({ made: 1 })
  })

  test.each([
    ['attestation', 7, 2041],
    ['refusal', 7, 2042],
    ['settled_event', 1, 2044],
    ['spent_nonce', 1, 2045],
  ] as const)(
    'of %s old partitions are dropped, whole, and nothing else goes',
    async (table, days, year) => {
      const periods = Math.floor(day(`${year}-06-01`).getTime() / (days * DAY))
      // In the middle of one period, and in the middle of the next.
      const [old, young] = [0.5, 1.5].map((n) => new Date((periods + n) * days * DAY)) as [
        Date,
        Date,
      ]
      const border = new Date((periods + 1) * days * DAY)
      await keep(table, old)
      const devices = [newDeviceId(), newDeviceId()]
      for (const [index, when] of [old, young].entries()) {
        const deviceId = devices[index] ?? ''
        await record(deviceId, when)
        await store().recordRefusal(refusalOf(deviceId, { at: when }))
        await store().quarantineDevice({ deviceId, by: 'x', reason: 'y', now: when })
        const events = (
          await store().waitingEvents({
            createdBefore: new Date(when.getTime() + 1),
            limit: 10_000,
          })
        ).filter((event) => event.deviceId === deviceId)
        expect(events.length).toBeGreaterThan(0)
        await store().settleEvents({ events, outcome: 'delivered', now: when })
      }
      const [gone, kept] = await Promise.all(devices.map((id) => placesOf(table, id)))
      expect(gone?.every((place) => !String(place).endsWith('default'))).toBe(true)
      await keep(table, young)
      const before = await partitions(table)

      const dropUntil = async (border: Date) => {
        const dropped: (string | null)[] = []
        do dropped.push((await keep(table, young, border)).dropped)
        while (dropped.at(-1) !== null)
        return dropped
      }
      // A moment before everything in it is old, it stays.
      const others = await dropUntil(new Date(border.getTime() - 1))
      expect(await placesOf(table, devices[0] ?? '')).toEqual(gone)
      const dropped = [...others, ...(await dropUntil(border))]
      expect(dropped).toContain(gone?.[0])
      expect(await placesOf(table, devices[0] ?? '')).toEqual([])
      expect(await placesOf(table, devices[1] ?? '')).toEqual(kept)
      const left = await partitions(table)
      expect(left).toEqual(before.filter((name) => !dropped.includes(name)))
      const { record: known } = await store().trustRecord(devices[0] ?? '')
      expect(known?.attestation).not.toBeNull()
    },
  )

  test('a spent nonce stays spent across the border of two partitions, until it has expired', async () => {
    const midnight = day('2033-03-10')
    const before = new Date(midnight.getTime() - 60_000)
    await keep('spent_nonce', before)
    const deviceId = newDeviceId()
    // It expires four minutes after midnight, wherever it is spent from.
    const input = attestationOf({ deviceId })
    const nonce = { id: 'over midnight', expiresAt: new Date(before.getTime() + 300_000) }
    const spend = (attestedAt: Date) =>
      store().recordAttestation({
        ...input,
        nonce,
        attestation: {
          ...input.attestation,
          attestationId: `att_${attestedAt.getTime()}`,
          attestedAt,
        },
      })
    expect((await spend(before)).outcome).toBe('recorded')
    expect(await placesOf('spent_nonce', deviceId)).toEqual(['spent_nonce_2033031000'])
    for (const seconds of [0, 59, 60, 61, 299]) {
      const now = new Date(before.getTime() + seconds * 1000)
      await keep('spent_nonce', now, new Date(now.getTime() - HOUR))
      expect((await spend(now)).outcome, `${seconds}`).toBe('nonce_spent')
    }
    const later = new Date(midnight.getTime() + 2 * DAY)
    for (let last: string | null = ''; last !== null; ) {
      last = (await keep('spent_nonce', later, later)).dropped
    }
    expect(await placesOf('spent_nonce', deviceId)).toEqual([])
  })

  test('without a partition answers go on, a nonce counts once, and the next run tells of it', async () => {
    const now = new Date('2034-05-05T05:05:00Z')
    const deviceId = newDeviceId()
    expect((await record(deviceId, now, 'early')).outcome).toBe('recorded')
    expect((await record(deviceId, now, 'early')).outcome).toBe('nonce_spent')
    expect(await placesOf('spent_nonce', deviceId)).toEqual(['spent_nonce_default'])
    expect(await keep('spent_nonce', now)).toMatchObject({ missing: 0, isLate: true })
    // What had come stays where it is; the partition is for what comes from the next hour on.
    expect(await partitions('spent_nonce')).toContain('spent_nonce_2034050506')
    expect((await record(deviceId, now, 'early')).outcome).toBe('nonce_spent')
    const later = new Date(now.getTime() + 2 * HOUR)
    await record(deviceId, later, 'late')
    expect(await placesOf('spent_nonce', deviceId)).toEqual([
      'spent_nonce_2034050506',
      'spent_nonce_default',
    ])
    expect(await keep('spent_nonce', later)).toMatchObject({ missing: 0, isLate: false })
  })

  test('a partition that cannot be made is told of, and its rows are kept all the same', async () => {
    const now = new Date('2035-07-07T07:07:00Z')
    await subject().query('create table spent_nonce_2035070700 (in_the_way integer)')
    expect(await keep('spent_nonce', now)).toMatchObject({
      made: 3,
      missing: 1,
      fault: expect.stringContaining('already exists'),
    })
    const deviceId = newDeviceId()
    expect((await record(deviceId, now, 'kept')).outcome).toBe('recorded')
    expect((await record(deviceId, now, 'kept')).outcome).toBe('nonce_spent')
    await subject().query('drop table spent_nonce_2035070700')
    expect(await keep('spent_nonce', now)).toMatchObject({ made: 1, missing: 0, isLate: true })
  })

  test('rows outside the partitions go when they are old, a few minutes of them at a time', async () => {
    const deviceIds = [newDeviceId(), newDeviceId(), newDeviceId()]
    const start = new Date('2010-01-01T00:00:00Z').getTime()
    const minutes = [0, 3, 60]
    for (const [index, deviceId] of deviceIds.entries()) {
      await record(deviceId, new Date(start + (minutes[index] ?? 0) * 60_000))
    }
    const clear = (minute: number) =>
      store().clearDefaultPartition({
        table: 'attestation',
        before: new Date(start + minute * 60_000),
        now: new Date(start + minute * 60_000),
      })
    const left = async () =>
      (await Promise.all(deviceIds.map((id) => placesOf('attestation', id)))).map(
        (places) => places.length,
      )
    expect(await clear(0)).toBe(0)
    expect(await clear(2)).toBe(1)
    expect(await left()).toEqual([0, 1, 1])
    expect(await clear(60)).toBe(1)
    expect(await clear(60)).toBe(0)
    expect(await left()).toEqual([0, 0, 1])
  })

  test('of a silent device the last five attestations outlive its history, without their details', async () => {
    const deviceId = newDeviceId()
    const start = day('2011-01-01').getTime()
    for (let n = 0; n < 7; n++) await record(deviceId, new Date(start + n * HOUR))
    const whole = await store().deviceHistory(deviceId, { limit: 10 })
    expect(whole.entries).toHaveLength(7)
    await subject().query(`delete from attestation where device_id = '${deviceId}'`)
    const { entries } = await store().deviceHistory(deviceId, { limit: 10 })
    const ids = (list: typeof entries) => list.map(({ attestationId }) => attestationId)
    expect(ids(entries)).toEqual(ids(whole.entries).slice(0, 5))
    expect(entries[0]).toMatchObject({
      at: new Date(start + 6 * HOUR),
      outcome: 'accepted',
      verdict: 'trusted',
      reasons: [],
      claims: null,
    })
    const before = entries[1]?.attestationId ?? ''
    const next = await store().deviceHistory(deviceId, { limit: 2, before })
    expect(ids(next.entries)).toEqual(ids(entries).slice(2, 4))
    expect(next.nextBefore).toBe(next.entries.at(-1)?.attestationId)
  })

  test('an event is settled once, whoever else settles it, and is never gone before', async () => {
    const deviceId = newDeviceId()
    const now = day('2012-01-01')
    await record(deviceId, now)
    const mine = async () =>
      (await store().waitingEvents({ createdBefore: day('2012-01-02'), limit: 10_000 })).filter(
        (event) => event.deviceId === deviceId,
      )
    const early = await store().waitingEvents({ createdBefore: now, limit: 10_000 })
    expect(early.map((event) => event.deviceId)).not.toContain(deviceId)
    const events = await mine()
    expect(events).toHaveLength(1)
    const settled = await Promise.all(
      Array.from({ length: 8 }, () => store().settleEvents({ events, outcome: 'expired', now })),
    )
    expect(settled.reduce((sum, one) => sum + one, 0)).toBe(1)
    expect(await mine()).toEqual([])
    const [row] = await subject().query(
      `select event_id, outcome, type, created_at from settled_event where device_id = '${deviceId}'`,
    )
    expect(row).toEqual({
      event_id: events[0]?.eventId,
      outcome: 'expired',
      type: 'device-compliance-change',
      created_at: now,
    })
  })
}
