import { describe, expect, test } from 'vitest'
import { entityKey } from '../../../src/access/directory.ts'
import { foldText } from '../../../src/base/fold-text.ts'
import type { DeviceQuery } from '../../../src/store/devices/device-reads.ts'
import type { RecordQuery } from '../../../src/store/devices/found-records.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import {
  at,
  attestationOf,
  newDeviceId,
  newId,
  refusalOf,
  type StoreUnderTest,
  VALIDITY_SECONDS,
} from '../fixtures.ts'

const FOREIGN_IDS = ['', 'x', "dev_' or 1=1 --", 'dev_\0', '\ud800', '{dev}', 'é', 'd'.repeat(5000)]

export function readingContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = (input: Parameters<typeof attestationOf>[0]) =>
    store().recordAttestation(attestationOf(input))

  describe('trust records', () => {
    test('of a device that was never seen still answer with the active documents', async () => {
      const kinds = ['policy', 'reference-values'] as const
      const hashes = kinds.map((kind) => namedHash(newId(kind)))
      for (const [index, kind] of kinds.entries()) {
        const hash = hashes[index] ?? namedHash('')
        const text = { author: 'admin', reason: 'test' }
        await putInForce(store(), { kind, hash, body: {}, ...text, now: at(0) })
      }
      const [policyHash, referenceValuesHash] = hashes
      const { revision: controlRevision } = await store().control()
      expect(await store().trustRecord(newDeviceId())).toEqual({
        record: null,
        policyHash,
        referenceValuesHash,
        controlRevision,
      })
      expect(await store().trustRecords([newDeviceId()])).toEqual({
        records: new Map(),
        policyHash,
        referenceValuesHash,
        controlRevision,
      })
    })

    test.each(FOREIGN_IDS.map((id) => [JSON.stringify(id.slice(0, 20)), id]))(
      'are asked for with any text: %s',
      async (_, id) => {
        expect((await store().trustRecord(id)).record).toBeNull()
        expect((await store().deviceDetail(id, at(0)))?.record).toBeUndefined()
        expect((await store().deviceHistory(id, { limit: 1 })).entries).toEqual([])
        expect(await store().findClient(id)).toBeNull()
        expect(await store().document('policy', id)).toBeNull()
      },
    )

    test('come in one batch for those that exist, whatever else is asked for', async () => {
      const known = [newDeviceId(), newDeviceId(), newDeviceId()]
      for (const deviceId of known) await record({ deviceId })
      const asked = [...known, newDeviceId(), ...known, ...FOREIGN_IDS]
      const { records } = await store().trustRecords(asked)
      expect([...records.keys()].sort()).toEqual([...known].sort())
      for (const deviceId of known) {
        expect(records.get(deviceId)).toEqual((await store().trustRecord(deviceId)).record)
      }
      expect((await store().trustRecords([])).records.size).toBe(0)
    })
  })

  describe('trust records that are found by an owner or a serial number', () => {
    const own = async (changes: object) => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      await store().setDeviceAttributes({ deviceId, changes, by: 'admin', now: at(1) })
      return deviceId
    }
    const find = async (query: Partial<RecordQuery>) => {
      const { found } = await store().findTrustRecords({
        ...{ by: 'owner', texts: [], most: 10, ...query },
      })
      return found.map(({ record: { deviceId }, name }) => ({ deviceId, name }))
    }

    test('are those of a decision, with what steers it at the same moment', async () => {
      const owner = `${newId('Zoë-')}@example.com`
      const deviceId = await own({ owner })
      const { found, ...beside } = await store().findTrustRecords({
        ...{ by: 'owner', texts: ['nobody', owner.toUpperCase()], most: 2 },
      })
      const { record: known, ...inForce } = await store().trustRecord(deviceId)
      expect(found).toEqual([{ record: known, name: foldText(owner) }])
      expect(beside).toEqual({ ...inForce, entries: new Map() })
    })

    test('are as many as were asked for, and no others', async () => {
      const [owner, serial] = [newId('owner-'), `"${newId('serial, {')}\\`]
      const owned = [await own({ owner }), await own({ owner }), await own({ owner })]
      const numbered = await own({ owner: `${owner}x`, serial })
      expect(await find({ texts: [owner], most: 2 })).toHaveLength(2)
      const all = await find({ texts: [owner] })
      expect(all.map(({ deviceId }) => deviceId).sort()).toEqual(owned.sort())
      const bySerial = { by: 'serial', texts: [serial, owner] } as const
      expect(await find(bySerial)).toEqual([{ deviceId: numbered, name: foldText(serial) }])
    })

    test.each(FOREIGN_IDS.map((text) => [JSON.stringify(text.slice(0, 20)), text]))(
      'are none for any text: %s',
      async (_, text) => {
        for (const by of ['owner', 'serial'] as const) {
          expect(await find({ by, texts: [text, newId('nobody-')] })).toEqual([])
        }
      },
    )

    test('come with entities of the directory, once, whether or not a device is found', async () => {
      const [owner, id] = [newId('owner-'), newId('jane-')]
      for (let count = 0; count < 3; count++) await own({ owner })
      const entity = { kind: 'subject', type: 'user', id } as const
      await store().changeEntities({
        changes: [{ ...entity, properties: { role: 'admin' }, source: 'test' }],
        ...{ by: 'admin', now: at(2) },
      })
      for (const texts of [[owner], ['nobody']]) {
        const query = { by: 'owner', texts, most: 10, entities: [entity] } as const
        const { entries } = await store().findTrustRecords(query)
        expect(entries?.get(entityKey(entity))).toEqual({ role: 'admin' })
      }
    })
  })

  describe('the list of devices', () => {
    const label = newId('fleet-')
    const devices = Array.from({ length: 7 }, () => newDeviceId())
    const list = (query: Partial<DeviceQuery>) =>
      store().listDevices({ search: label, limit: 100, ...query })
    const ids = async (query: Partial<DeviceQuery>) => {
      return (await list(query)).devices.map(({ record }) => record.deviceId)
    }

    test('is prepared', async () => {
      for (const deviceId of devices) {
        await record({ deviceId })
        const owner = `Ada ${deviceId.slice(-2)} Lovelace 100%_`
        const changes = { owner, labels: ['other', label], entraDeviceId: `E-${deviceId}` }
        await store().setDeviceAttributes({ deviceId, changes, by: 'admin', now: at(1) })
      }
    })

    test('comes in pages that cover all devices once', async () => {
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page = await list({ limit: 3, ...(cursor === null ? {} : { cursor }) })
        expect(page.devices.length).toBeLessThanOrEqual(3)
        seen.push(...page.devices.map(({ record }) => record.deviceId))
        cursor = page.nextCursor
      } while (cursor !== null)
      expect(seen).toEqual([...devices].sort())
    })

    test('is searched without regard to letter case, beyond ASCII and in any locale', async () => {
      const deviceId = newDeviceId()
      await store().recordAttestation(attestationOf({ deviceId }))
      const listed = newDeviceId()
      const changeOf = (text: string) => ({ owner: text, labels: [text], entraDeviceId: 'E-Ä' })
      // Unicode §5.18: what is stored is found, and so is each way to write it in another case.
      for (const [stored, ...searches] of [
        ['Åsa Öberg', 'åsa öberg', 'ÅSA ÖBERG', 'A\u030asa O\u0308berg'],
        ['Иван Петров', 'иван петров', 'ИВАН ПЕТРОВ'],
        ['ΝΙΚΟΣ ΠΑΠΠΑΣ', 'νικος παππας', 'νικοσ παππασ', 'Νίκος'.normalize('NFC')],
        ['İbrahim', 'i̇brahim', 'İBRAHIM'],
        ['Straße', 'STRASSE', 'strasse', 'STRAẞE'],
      ] as const) {
        const changes = changeOf(stored)
        await store().setDeviceAttributes({ deviceId, changes, by: 'test', now: at(9) })
        for (const search of [stored, ...searches]) {
          const isFound = !search.startsWith('Νί')
          expect([search, (await ids({ search })).includes(deviceId)]).toEqual([search, isFound])
        }
        expect(await ids({ search: stored.slice(0, -1) })).toContain(deviceId)
      }
      expect(await ids({ search: 'e-ä' })).toContain(deviceId)
      await store().setDeviceAttributes({
        deviceId,
        changes: { owner: null, labels: [], entraDeviceId: null },
        by: 'test',
        now: at(10),
      })
      for (const search of ['straße', 'e-ä']) expect(await ids({ search })).toEqual([])
      await store().enrolDevice({
        ...{ deviceId: listed, keyKind: 'aik', deviceKeyHash: listed, ring: 1, by: 'test' },
        ...{ attributes: changeOf('Æther'), now: at(9) },
      })
      expect(await ids({ search: 'ÆTHER' })).toEqual([listed])
    })

    test('is searched by id, owner, label and Entra id, literally', async () => {
      const [first = ''] = devices
      expect(await ids({ search: first })).toEqual([first])
      expect(await ids({ search: first.slice(0, -1) })).toContain(first)
      expect(await ids({ search: `E-${first}`.toLowerCase() })).toEqual([first])
      expect(await ids({ search: `ADA ${first.slice(-2)} love` })).toContain(first)
      expect(await ids({ search: 'love' })).toEqual([])
      expect(await ids({ search: 'ada__' })).toEqual([])
      expect(await ids({ search: label.slice(1) })).toEqual([])
      expect(await ids({ search: `%${label}` })).toEqual([])
      expect(await ids({ search: 'no\0such' })).toEqual([])
    })

    test('is bounded whatever limit is asked for', async () => {
      expect((await list({ limit: 0 })).devices).toHaveLength(1)
      expect((await list({ limit: 1e9 })).devices).toHaveLength(7)
    })
  })

  test('the detail of a device says what was recorded and what counts now', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, verdict: 'untrusted', reasons: ['clause'], failedClauses: ['clause'] })
    const detail = await store().deviceDetail(deviceId, at(VALIDITY_SECONDS + 1))
    expect(detail).toMatchObject({
      verdict: 'stale',
      recordedVerdict: 'untrusted',
      reasons: ['clause'],
      firstFailedAt: { clause: at(0).toISOString() },
      updatedAt: at(0),
    })
    expect(detail?.record).toEqual((await store().trustRecord(deviceId)).record)
  })

  test('the history of a device comes newest first, in pages', async () => {
    const deviceId = newDeviceId()
    for (const second of [3, 1, 2]) await record({ deviceId, at: second })
    // Two at one moment must not be lost between pages.
    await store().recordRefusal(refusalOf(deviceId, { at: at(2), attestationId: 'att_0' }))
    await record({ deviceId, at: 2, attestationId: 'att_z' })
    const seconds: number[] = []
    let before: string | null = null
    do {
      const query: { limit: number; before?: string } = { limit: 2 }
      if (before !== null) query.before = before
      const page = await store().deviceHistory(deviceId, query)
      seconds.push(...page.entries.map((entry) => (entry.at.getTime() - at(0).getTime()) / 1000))
      before = page.nextBefore
    } while (before !== null)
    expect(seconds).toEqual([3, 2, 2, 2, 1])
    const gone = await store().deviceHistory(deviceId, { limit: 2, before: 'att_never' })
    expect(gone).toEqual({ entries: [], nextBefore: null })
  })

  test('a fault of the database carries no values of the statement', async () => {
    const deviceId = newDeviceId()
    const input = attestationOf({ deviceId, ring: 1000, claims: { aikPubHash: 'secret-claim' } })
    const fault = await store()
      .recordAttestation(input)
      .catch((error) => error)
    expect(fault).toMatchObject({ name: 'StoreError', code: '23514' })
    expect(`${fault.stack} ${JSON.stringify(fault)}`).not.toContain('secret-claim')
  })

  test('counts devices by verdict and answers again from memory', async () => {
    const now = at(1_000_000)
    const first = await store().counts(now)
    const [row] = await subject().query('select count(*)::integer as devices from device')
    const total = Object.values(first.devices).reduce((sum, count) => sum + count, 0)
    expect(total).toBe(row?.devices)
    expect(first.devices.trusted).toBe(0)
    await record({ deviceId: newDeviceId(), at: 1_000_000 })
    expect(await store().counts(at(1_000_010))).toEqual(first)
    expect((await store().counts(at(1_000_060))).devices.trusted).toBe(1)
  })

  test('counts devices that have attested as they are, and stops early', async () => {
    const all = { most: 1_000_000 }
    const before = await store().attestedDevices(all)
    const deviceId = newDeviceId()
    await record({ deviceId, at: 2_000_000 })
    expect(await store().attestedDevices(all)).toBe(before + 1)
    expect(await store().attestedDevices({ most: 1 })).toBe(1)
    const valid = (seconds: number) => store().attestedDevices({ ...all, validAt: at(seconds) })
    expect(await valid(2_000_000)).toBe(1)
    expect(await valid(2_000_000 + VALIDITY_SECONDS)).toBe(0)
    const quarantine = { deviceId, by: 'test', reason: 'test', now: at(2_000_001) }
    await store().quarantineDevice(quarantine)
    expect(await store().attestedDevices(all)).toBe(before)
    await store().enrolDevice({
      deviceId: newDeviceId(),
      keyKind: 'aik',
      deviceKeyHash: 'never-attested',
      ring: 1,
      attributes: {},
      by: 'test',
      now: at(2_000_001),
    })
    expect(await store().attestedDevices(all)).toBe(before)
  })

  test('answers a ping', async () => {
    await expect(store().ping()).resolves.toBeUndefined()
  })
}
