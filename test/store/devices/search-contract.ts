import { describe, expect, test } from 'vitest'
import type { DeviceFilter } from '../../../src/store/devices/device-search.ts'
import {
  at,
  attestationOf,
  newDeviceId,
  newId,
  refusalOf,
  type StoreUnderTest,
  VALIDITY_SECONDS,
} from '../fixtures.ts'

/** Finding devices by what is recorded of them, counting them, and noting what they are found by. */
export function searchContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = async (input: Partial<Parameters<typeof attestationOf>[0]> = {}) => {
    const deviceId = input.deviceId ?? newDeviceId()
    await store().recordAttestation(attestationOf({ ...input, deviceId }))
    return deviceId
  }
  const set = (
    deviceId: string,
    changes: Parameters<ReturnType<typeof store>['setDeviceAttributes']>[0]['changes'],
  ) => store().setDeviceAttributes({ deviceId, changes, by: 'admin', now: at(1) })
  const ids = async (filter: DeviceFilter) => {
    const { devices } = await store().listDevices({ ...filter, limit: 100 })
    return devices.map((one) => one.record.deviceId)
  }
  /** A clause that no other test of the run names. */
  let clauses = 0
  const newClause = () => {
    clauses += 1
    return `clause_${clauses}`
  }

  describe('devices are found', () => {
    test('by a clause that they did not meet when they attested, until they meet it', async () => {
      const [clause, other] = [newClause(), newClause()]
      const deviceId = await record({ failedClauses: [other, clause] })
      await record({ failedClauses: [other] })
      expect(await ids({ clause })).toEqual([deviceId])
      expect(await ids({ anyClause: [clause, 'nobody_fails_it'] })).toEqual([deviceId])
      expect(await ids({ anyClause: [] })).toEqual([])
      await record({ deviceId, at: 9, failedClauses: [other] })
      expect(await ids({ clause })).toEqual([])
      // What was overtaken says nothing of how it is.
      await record({ deviceId, at: 5, failedClauses: [clause] })
      expect(await ids({ clause })).toEqual([])
    })

    test('by a clause that the sweep found unmet, as long as they have not attested since', async () => {
      const clause = newClause()
      const attested = attestationOf({ deviceId: newDeviceId() })
      await store().recordAttestation(attested)
      const { deviceId, attestation } = attested
      const { attestationId } = attestation
      const note = async (change: object = {}, later = 0) => {
        const { revision } = await store().control()
        const changes = [{ deviceId, attestationId, unmet: [clause], ...change }]
        return store().noteUnmet({ changes, revision: revision + later })
      }
      expect(await note({}, 1)).toBe('superseded')
      expect(await note({ attestationId: 'att_before' })).toBe(0)
      expect(await ids({ clause })).toEqual([])
      expect(await note()).toBe(1)
      expect(await note()).toBe(0)
      expect(await ids({ clause })).toEqual([deviceId])
      const [row] = await subject().query(
        `select first_failed_at, generation from device where device_id = '${deviceId}'`,
      )
      // No grace begins by it.
      expect(row?.first_failed_at).toEqual({})
      await record({ deviceId, at: 9 })
      expect(await ids({ clause })).toEqual([])
    })

    test('by the verdict that others were told', async () => {
      const label = newId('told-')
      const [trusted, untrusted] = [await record(), await record({ verdict: 'untrusted' })]
      const pending = await record({ enrolmentMode: 'approval' })
      for (const deviceId of [trusted, untrusted, pending]) await set(deviceId, { labels: [label] })
      expect(await ids({ labels: [label], verdict: 'trusted' })).toEqual([trusted])
      expect(await ids({ labels: [label], verdict: 'untrusted' })).toEqual([untrusted])
      expect(await ids({ labels: [label], enrolment: 'pending' })).toEqual([pending])
      await store().quarantineDevice({ deviceId: trusted, by: 'a', reason: 'r', now: at(2) })
      expect(await ids({ labels: [label], verdict: 'quarantined' })).toEqual([trusted])
    })

    test('by labels, owner, verifier and time, and by all of them together', async () => {
      const [first, second] = [newId('A-'), newId('B-')]
      const owner = newId('Zoë ')
      const deviceId = await record({ at: 100 })
      const earlier = await record({ at: -86_400 })
      await set(deviceId, { labels: [first, second], owner })
      await set(earlier, { labels: [first], owner })
      const issuer = 'https://verifier.example'
      expect(await ids({ labels: [first.toLowerCase()] })).toEqual([deviceId, earlier].sort())
      expect(await ids({ labels: [first, second] })).toEqual([deviceId])
      expect(await ids({ owner: owner.toUpperCase() })).toEqual([deviceId, earlier].sort())
      expect(await ids({ owner: owner.slice(0, -1) })).toEqual([])
      expect(await ids({ owner, issuer })).toHaveLength(2)
      expect(await ids({ owner, issuer: 'https://other.example' })).toEqual([])
      expect(await ids({ owner, attestedBefore: at(100) })).toEqual([earlier])
      expect(await ids({ owner, attestedBefore: at(101) })).toHaveLength(2)
      expect(await ids({ owner, attestedAfter: at(100) })).toEqual([deviceId])
      expect(await ids({ owner, attestedAfter: at(101) })).toEqual([])
      const targets = { deviceIds: [earlier, "no'\u0000id"], labels: [second] }
      expect(await ids({ owner, targets })).toEqual([deviceId, earlier].sort())
      expect(await ids({ owner, targets: { deviceIds: [], labels: [] } })).toEqual([])
      const all = { labels: [first], owner, issuer, attestedAfter: at(0), search: deviceId }
      expect(await ids(all)).toEqual([deviceId])
    })

    test('by the beginning of a name or a serial number, whatever stands in a text', async () => {
      const deviceId = await record()
      const name = newId('Laptop "7"\\ {x},')
      const serial = newId('PF-')
      await set(deviceId, { name, serial, labels: [`${name}l`] })
      for (const search of [name, name.slice(0, -2).toUpperCase(), serial, `${name}L`]) {
        expect([search, await ids({ search })]).toEqual([search, [deviceId]])
      }
      expect(await ids({ labels: [`${name}l`] })).toEqual([deviceId])
      expect(await ids({ search: name.slice(1) })).toEqual([])
      const { about } = (await store().deviceDetail(deviceId, at(2))) ?? expect.unreachable()
      expect(about).toEqual({ name, serial })
    })
  })

  test('devices are counted by clause, label and verifier, page by page', async () => {
    const [label, other] = [newId('counted-'), newId('other-')]
    const [clause, second] = [newClause(), newClause()]
    const found: string[] = []
    for (const failedClauses of [[clause, second], [clause], []]) {
      const deviceId = await record({ failedClauses })
      await set(deviceId, { labels: failedClauses.length === 2 ? [label, other] : [label] })
      found.push(deviceId)
    }
    const filter = { labels: [label], after: '', most: 100 }
    const byName = (a: { group: string }, b: { group: string }) => (a.group < b.group ? -1 : 1)
    const count = async (by: 'clause' | 'label' | 'issuer') => {
      const counted = await store().groupDevices({ ...filter, by })
      return { ...counted, groups: counted.groups.toSorted(byName) }
    }
    const last = [...found].sort().at(-1)
    expect(await count('clause')).toEqual({
      groups: [
        { group: clause, devices: 2 },
        { group: second, devices: 1 },
      ],
      ...{ devices: 3, looked: 3, last },
    })
    expect((await count('label')).groups).toEqual([
      { group: label, devices: 3 },
      { group: other, devices: 1 },
    ])
    expect((await count('issuer')).groups).toEqual([
      { group: 'https://verifier.example', devices: 3 },
    ])
    const page = await store().groupDevices({ ...filter, by: 'label', most: 2 })
    expect(page.devices).toBe(2)
    const rest = await store().groupDevices({ ...filter, by: 'label', after: page.last ?? '' })
    expect(rest.devices).toBe(1)
    const none = await store().groupDevices({ ...filter, by: 'label', after: last ?? '' })
    expect(none).toEqual({ groups: [], devices: 0, looked: 0, last: null })
  })

  test('labels that were read are set only where nobody changed them meanwhile', async () => {
    const deviceId = await record()
    const relabel = (labelsBefore: readonly string[], labels: readonly string[]) =>
      store().setDeviceAttributes({
        ...{ deviceId, changes: { labels }, labelsBefore, by: 'admin', now: at(3) },
      })
    expect(await relabel(['other'], ['x'])).toBe('superseded')
    expect(await relabel([], ['a'])).toBe('applied')
    expect(await relabel([], ['b'])).toBe('superseded')
    expect(await relabel(['a'], ['a'])).toBe('unchanged')
    const [entry] = await subject().query(
      `select detail from audit where device_id = '${deviceId}' and action = 'device.attributes-set'`,
    )
    expect(entry?.detail).toEqual({
      before: { owner: null, entraDeviceId: null, name: null, serial: null, labels: [] },
      changes: { labels: ['a'] },
    })
  })

  describe('a list of devices', () => {
    const importRows = (rows: Parameters<ReturnType<typeof store>['importDevices']>[0]['rows']) =>
      store().importDevices({ rows, by: 'cli:ada@host', now: at(5) })

    test('is written by key, id, Entra id and serial number, and changes nothing the second time', async () => {
      const [known, byEntra, bySerial, listed] = [
        await record(),
        await record(),
        await record(),
        newDeviceId(),
      ]
      const [entra, serial] = [newId('E-'), newId('S-')]
      await set(byEntra, { entraDeviceId: entra })
      await set(bySerial, { serial })
      const key = { kind: 'aik', hash: 'hash', ring: 3 } as const
      const rows = [
        { line: 2, device: { deviceId: known }, changes: { owner: 'ada', labels: ['x'] } },
        { line: 3, device: { entraDeviceId: entra.toUpperCase() }, changes: { name: 'n' } },
        { line: 4, device: { serial: serial.toLowerCase() }, changes: { owner: 'eve' } },
        {
          line: 5,
          device: { deviceId: listed, key },
          changes: { owner: 'new', serial: newId('T-') },
        },
      ]
      const done = await importRows(rows)
      expect(new Map(done.map(({ line, outcome }) => [line, outcome]))).toEqual(
        new Map([
          [2, 'applied'],
          [3, 'applied'],
          [4, 'applied'],
          [5, 'enrolled'],
        ]),
      )
      expect((await store().trustRecord(known)).record).toMatchObject({
        owner: 'ada',
        labels: ['x'],
      })
      expect((await store().trustRecord(listed)).record).toMatchObject({ owner: 'new', ring: 3 })
      const audits = () =>
        subject().query(`select count(*)::integer as n from audit where actor = 'cli:ada@host'`)
      const before = await audits()
      expect((await importRows(rows)).map(({ outcome }) => outcome)).toEqual(
        Array(4).fill('unchanged'),
      )
      expect(await audits()).toEqual(before)
    })

    test('is refused whole if one row names no device, or several, or one that was named before', async () => {
      const [first, twin, other] = [await record(), await record(), await record()]
      const entra = newId('E-')
      await set(first, { entraDeviceId: entra })
      await set(twin, { entraDeviceId: entra })
      const answer = await importRows([
        { line: 2, device: { deviceId: other }, changes: { owner: 'lost' } },
        { line: 3, device: { entraDeviceId: entra }, changes: { owner: 'lost' } },
        { line: 4, device: { serial: newId('none-') }, changes: { owner: 'lost' } },
        { line: 5, device: { deviceId: newDeviceId() }, changes: { owner: 'lost' } },
        { line: 6, device: { deviceId: other }, changes: { owner: 'lost' } },
      ])
      expect(answer.map(({ line, outcome }) => [line, outcome])).toEqual([
        [3, 'ambiguous'],
        [4, 'unknown'],
        [5, 'unknown'],
        [6, 'repeated'],
      ])
      expect((await store().trustRecord(other)).record?.owner).toBeNull()
    })

    test('reaches the device that one of its names stands for', async () => {
      const [tpm, key] = [newDeviceId(), newDeviceId()]
      await store().linkDevice({
        ...{ deviceId: tpm, keyKind: 'tpm', identity: tpm, ring: 1, key },
        names: [{ deviceId: key, keyKind: 'aik', keyHash: key }],
        ...{ enrolmentMode: 'open', ticket: null, detail: {}, now: at(1) },
      })
      const named = { kind: 'aik', hash: key, ring: 3 } as const
      const row = { line: 2, device: { deviceId: key, key: named }, changes: { owner: 'ada' } }
      expect(await importRows([row])).toEqual([{ line: 2, outcome: 'applied', deviceId: tpm }])
    })
  })

  test('what administrators call a device stays with it when it is merged', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    const clause = newClause()
    await record({ deviceId: key, failedClauses: [clause] })
    await set(key, { name: 'kiosk', serial: newId('S-') })
    await store().linkDevice({
      ...{ deviceId: tpm, keyKind: 'tpm', identity: tpm, ring: 1, key },
      names: [{ deviceId: key, keyKind: 'aik', keyHash: key }],
      ...{ enrolmentMode: 'open', ticket: null, detail: {}, now: at(1) },
    })
    expect((await store().deviceDetail(key, at(2)))?.about.name).toBe('kiosk')
    expect(await ids({ clause })).toEqual([tpm])
  })

  test('refused attempts are listed newest first, of strangers as of others, in pages', async () => {
    const since = at(VALIDITY_SECONDS * 1000)
    const time = (second: number) => new Date(since.getTime() + second * 1000)
    const [known, stranger] = [await record(), newDeviceId()]
    for (const second of [1, 2, 3]) {
      await store().recordRefusal(refusalOf(known, { at: time(second) }))
    }
    const refusal = refusalOf(stranger, {
      at: time(2),
      isVouched: false,
      reasons: [{ code: 'x', y: 1 }],
    })
    expect(await store().recordRefusal(refusal)).toBe('unknown')
    await store().recordStranger(refusal)
    const all = await store().listRefusals({ since, limit: 10 })
    expect(
      all.refusals
        .map(({ at, deviceId }) => [(at.getTime() - since.getTime()) / 1000, deviceId])
        .sort(),
    ).toEqual(
      [
        [1, known],
        [2, known],
        [2, stranger],
        [3, known],
      ].sort(),
    )
    expect(all.refusals.find(({ isStranger }) => isStranger)).toMatchObject({
      deviceId: stranger,
      reasons: [{ code: 'x', y: 1, device_id: stranger }],
    })
    const first = await store().listRefusals({ since, limit: 3 })
    const before = first.nextBefore ?? expect.unreachable()
    const rest = await store().listRefusals({ since, limit: 3, before })
    expect([...first.refusals, ...rest.refusals]).toEqual(all.refusals)
    expect(rest.nextBefore).toBeNull()
    // Whoever knows the id finds them in its history.
    const { entries } = await store().deviceHistory(stranger, { limit: 5 })
    expect(entries).toHaveLength(1)
    expect((await store().deviceHistory(newDeviceId(), { limit: 5 })).entries).toEqual([])
  })

  test('strangers fill no more than their ring', async () => {
    const period = at(VALIDITY_SECONDS * 2000)
    for (let turn = 0; turn < 105; turn += 1) {
      const time = new Date(period.getTime() + turn * 1000)
      await store().recordStranger(refusalOf(newDeviceId(), { at: time }))
    }
    const { refusals } = await store().listRefusals({ since: period, limit: 200 })
    expect(refusals).toHaveLength(100)
    expect(refusals.at(-1)?.at).toEqual(new Date(period.getTime() + 5000))
  })

  test('the audit log is read newest first, by device, actor, action and time, in pages', async () => {
    const by = newId('cli:ada@')
    const devices = [await record(), await record()]
    for (const [turn, deviceId] of devices.entries()) {
      const change = { deviceId, by, reason: 'r' }
      await store().quarantineDevice({ ...change, now: at(10 + turn) })
      await store().releaseDevice({ ...change, now: at(20 + turn) })
    }
    const window = { since: at(0), until: at(100) }
    const read = (query: object) => store().auditEntries({ ...window, limit: 10, ...query })
    const all = await read({ actor: by })
    expect(
      all.entries.map(({ action, at: time }) => [action, time.getTime() - at(0).getTime()]),
    ).toEqual([
      ['device.released', 21_000],
      ['device.released', 20_000],
      ['device.quarantined', 11_000],
      ['device.quarantined', 10_000],
    ])
    expect(all.entries[0]).toMatchObject({
      actor: by,
      detail: { reason: 'r' },
      deviceId: devices[1],
    })
    expect(all.nextBefore).toBeNull()
    const [deviceId] = devices
    expect((await read({ actor: by, deviceId })).entries).toHaveLength(2)
    expect((await read({ actor: by, action: 'device.released' })).entries).toHaveLength(2)
    expect((await read({ actor: by, since: at(11), until: at(21) })).entries).toHaveLength(2)
    expect((await read({ actor: `${by}x` })).entries).toEqual([])
    const first = await read({ actor: by, limit: 3 })
    const rest = await read({ actor: by, limit: 3, before: first.nextBefore })
    expect([...first.entries, ...rest.entries]).toEqual(all.entries)
  })
}
