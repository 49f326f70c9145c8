import { expect, test } from 'vitest'
import { at, attestationOf, newDeviceId, type StoreUnderTest } from '../fixtures.ts'

export function statusListContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = async (changes: Partial<Parameters<typeof attestationOf>[0]> = {}) => {
    const input = attestationOf({ deviceId: newDeviceId(), ...changes })
    const { device } = await store().recordAttestation(input)
    return { deviceId: input.deviceId, place: device?.statusPlace ?? null }
  }
  const unlisted = async () => {
    const devices = await store().unlistedDevices(100_000)
    return new Map(devices.map((device) => [device.deviceId, device]))
  }
  const nothing = { patches: [], dues: new Map(), done: [], retired: [], now: at(0) }
  const patch = async (changes: object = {}) => {
    const revision = await store().statusListRevision()
    return store().patchStatusList({ ...nothing, revision, ...changes })
  }

  test('each device has a place of its own from its first attestation on, whoever comes at once', async () => {
    const rings = Array.from({ length: 40 }, (_, turn) => turn % 3)
    const devices = await Promise.all(rings.map((ring) => record({ ring })))
    const places = devices.map(({ place }) => place ?? -1)
    expect(new Set(places).size).toBe(40)
    for (const [turn, place] of places.entries()) expect(place % 100).toBe(rings[turn])
    const again = await record({ deviceId: devices[5]?.deviceId ?? '', ring: 2, at: 60 })
    expect(again.place).toBe(places[5])
  })

  test('a device of before there were places has one with its next attestation', async () => {
    const { deviceId, place } = await record()
    const clear = `update device set status_place = null where device_id = '${deviceId}'`
    await subject().query(clear)
    expect((await unlisted()).has(deviceId)).toBe(false)
    const next = await record({ deviceId, at: 60 })
    expect(next.place).toBeGreaterThan(place ?? 0)
    expect((await unlisted()).get(deviceId)).toMatchObject({ place: next.place })
  })

  test('a refused recording gives no place', async () => {
    const input = attestationOf({ deviceId: newDeviceId(), enrolmentMode: 'listed' })
    const before = await subject().query('select sum(next) as places from status_place')
    expect((await store().recordAttestation(input)).outcome).toBe('device_not_listed')
    expect(await subject().query('select sum(next) as places from status_place')).toEqual(before)
  })

  test('a device waits to be listed while others were told something else than the list says', async () => {
    const { deviceId, place } = await record()
    expect((await unlisted()).get(deviceId)).toEqual({
      ...{ deviceId, place, verdict: 'trusted' },
      validUntil: at(3600),
    })
    await store().noteListed([{ deviceId, verdict: 'trusted' }])
    expect((await unlisted()).has(deviceId)).toBe(false)
    const by = { deviceId, by: 'admin', reason: 'lost', now: at(30) }
    await store().quarantineDevice(by)
    expect((await unlisted()).get(deviceId)?.verdict).toBe('quarantined')
    // What was read before is not what is told now.
    await store().noteListed([{ deviceId, verdict: 'trusted' }])
    expect((await unlisted()).get(deviceId)?.verdict).toBe('quarantined')
  })

  test('statuses are written into their chunk, and the rest of it is unknown', async () => {
    const chunk = 9000
    expect(await patch({ patches: [[chunk, 3, 0b11110011, 0b1000]] })).toBe('applied')
    expect(
      await patch({
        patches: [
          [chunk, 3, 0b11111100, 0],
          [chunk + 1, 4095, 0, 7],
        ],
      }),
    ).toBe('applied')
    const chunks = new Map((await store().statusChunks()).map((one) => [one.chunk, one.statuses]))
    const expected = Buffer.alloc(4096, 0xff)
    expected[3] = 0b11111000
    expect(Buffer.from(chunks.get(chunk) ?? []).equals(expected)).toBe(true)
    expect(chunks.get(chunk + 1)?.[4095]).toBe(7)
  })

  test('who has read before another one wrote writes nothing', async () => {
    const revision = await store().statusListRevision()
    const writers = Array.from({ length: 6 }, (_, writer) => {
      const dues = new Map([[at(9000).getTime(), [`dev_of_writer_${writer}`]]])
      return store().patchStatusList({
        ...nothing,
        revision,
        dues,
        patches: [[9100, writer, 0, 1]],
      })
    })
    const answers = await Promise.all(writers)
    expect(answers.filter((answer) => answer === 'applied')).toHaveLength(1)
    const winner = answers.indexOf('applied')
    const due = await store().dueStatuses({ now: at(9000), rows: 100 })
    const written = due.flatMap(({ deviceIds }) => deviceIds).filter((id) => id.includes('writer'))
    expect(written).toEqual([`dev_of_writer_${winner}`])
  })

  test('what is due is given until it is done', async () => {
    const dues = new Map([[at(7000).getTime(), ['dev_due']]])
    await patch({ dues })
    const isOurs = ({ deviceIds }: { deviceIds: readonly string[] }) => deviceIds[0] === 'dev_due'
    const dueAt = async (seconds: number) => {
      return (await store().dueStatuses({ now: at(seconds), rows: 100 })).filter(isOurs)
    }
    expect(await dueAt(6999)).toEqual([])
    const [row] = await dueAt(7000)
    expect(row).toMatchObject({ dueAt: at(7000), deviceIds: ['dev_due'] })
    await patch({ done: [row] })
    expect(await dueAt(7000)).toEqual([])
  })

  test('a signed list takes the place of an older one only', async () => {
    const keep = (seconds: number) =>
      store().keepStatusList({ token: `list of ${seconds}`, issuedAt: at(seconds) })
    expect(await keep(10)).toBe('applied')
    expect(await keep(9)).toBe('superseded')
    expect(await store().signedStatusList(null)).toEqual({
      token: 'list of 10',
      issuedAt: at(10),
    })
    expect(await store().signedStatusList(at(10))).toBeNull()
    expect(await keep(20)).toBe('applied')
    expect((await store().signedStatusList(at(10)))?.token).toBe('list of 20')
    expect(await store().statusListTime()).toEqual(at(20))
  })

  test('a device that becomes a name of another one gives its place up', async () => {
    const { deviceId, place } = await record()
    const target = newDeviceId()
    await store().linkDevice({
      ...{ deviceId: target, keyKind: 'tpm', identity: 'identity', ring: 7, key: 'key-of-it' },
      ...{ names: [{ deviceId, keyKind: 'aik', keyHash: 'hash' }], enrolmentMode: 'open' },
      ...{ ticket: null, detail: {}, now: at(90) },
    })
    expect(await store().retiredPlaces(100_000)).toContain(place)
    await patch({ retired: [place] })
    expect(await store().retiredPlaces(100_000)).not.toContain(place)
  })
}
