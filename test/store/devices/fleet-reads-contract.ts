import { describe, expect, test } from 'vitest'
import { DEFAULT_PLAN, isInStage, type RolloutStage } from '../../../src/rollout/rollout.ts'
import { type FleetRecord, readFleet, readSample } from '../../../src/store/devices/fleet-reads.ts'
import { at, attestationOf, newDeviceId, newId, type StoreUnderTest } from '../fixtures.ts'

export function fleetReadsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const claims = { secureBootEnabled: true, bootCounter: 7, elamDrivers: ['a', 'b'] }
  const record = async (changes: Partial<Parameters<typeof attestationOf>[0]> = {}) => {
    const deviceId = newDeviceId()
    await store().recordAttestation(attestationOf({ deviceId, claims, ...changes }))
    return deviceId
  }
  const collect = async (options?: Parameters<typeof readFleet>[1]) => {
    const found: FleetRecord[] = []
    for await (const batch of readFleet(store(), options)) found.push(...batch)
    return found
  }

  describe('the fleet', () => {
    test('is read whole in the order of ids, each device once, whatever the page', async () => {
      for (let index = 0; index < 5; index++) await record()
      const all = (await collect()).map(({ deviceId }) => deviceId)
      const rows = await subject().query('select device_id from device order by device_id')
      expect(all).toEqual(rows.map(({ device_id }) => device_id))
      for (const pageRows of [1, 2, all.length, all.length + 1]) {
        const again = (await collect({ pageRows })).map(({ deviceId }) => deviceId)
        expect(again).toEqual(all)
      }
    })

    test('has of every device what decides about it', async () => {
      const deviceId = await record({ ring: 9, at: 12.345 })
      const changes = { owner: 'ada', labels: ['a,b', '"c"'], entraDeviceId: 'entra' }
      await store().setDeviceAttributes({ deviceId, changes, by: 'cli', now: at(6) })
      const listed = await record({ enrolmentMode: 'approval' })
      await store().quarantineDevice({ deviceId: listed, by: 'cli', reason: 'r', now: at(7) })
      const found = await collect()
      const announced = [
        [deviceId, 'trusted'],
        [listed, 'quarantined'],
      ] as const
      for (const [id, announcedVerdict] of announced) {
        const { record: trust } = await store().trustRecord(id)
        if (trust?.attestation == null) throw new TypeError('the device is on record')
        const { confirmationKey, ...attestation } = trust.attestation
        const { generation, ...rest } = trust
        const quarantine = trust.quarantine && {}
        const expected = { ...rest, attestation, quarantine, unmet: [], announcedVerdict }
        expect(found.find((one) => one.deviceId === id)).toEqual(expected)
      }
    })

    test('comes without the claims that are left out, and equal ones are one object', async () => {
      const ids = [await record(), await record({ claims: { ...claims, bootCounter: 8 } })]
      const leaveOut = ['bootCounter', 'hvciEnabled'] as const
      const found = (await collect({ leaveOut })).filter(({ deviceId }) => ids.includes(deviceId))
      const [first, second] = found.map(({ attestation }) => attestation?.claims)
      expect(first).toEqual({ secureBootEnabled: true, elamDrivers: ['a', 'b'] })
      expect(second).toBe(first)
    })

    test('ends between two batches when it is told to', async () => {
      const ending = new AbortController()
      let batches = 0
      const reading = async () => {
        for await (const _ of readFleet(store(), { pageRows: 1, signal: ending.signal })) {
          batches += 1
          ending.abort(new Error('enough'))
        }
      }
      await expect(reading()).rejects.toThrow('enough')
      expect(batches).toBe(1)
      await expect(reading()).rejects.toThrow('enough')
      expect(batches).toBe(1)
    })
  })

  describe('a sample of the fleet', () => {
    const idsOf = (records: readonly FleetRecord[]) => records.map(({ deviceId }) => deviceId)
    const sample = async (after: string, most: number, stage?: RolloutStage) => {
      const { records, last } = await readSample(store(), { after, most, stage })
      return { ids: idsOf(records), last }
    }

    test('begins after an id and goes on at the beginning, each device once', async () => {
      const all = idsOf(await collect())
      const [first = '', second = ''] = all
      const end = all.at(-1) ?? ''
      expect(await sample('', 2)).toEqual({ ids: [first, second], last: second })
      expect(await sample(first, 1)).toEqual({ ids: [second], last: second })
      expect(await sample(end, 2)).toEqual({ ids: [first, second], last: second })
      for (const after of ['', first, second, end, 'a', 'zzz']) {
        const { ids } = await sample(after, all.length + 10)
        expect(ids.toSorted()).toEqual(all.toSorted())
        const some = await sample(after, 3)
        expect(some.ids).toEqual(ids.slice(0, 3))
        expect(some.last).toBe(some.ids.at(-1))
      }
    })

    test('that goes on where the last one ended comes to every device', async () => {
      const all = idsOf(await collect())
      const met = new Set<string>()
      let after = ''
      for (let round = 0; round < Math.ceil(all.length / 3); round++) {
        const { ids, last } = await sample(after, 3)
        for (const id of ids) met.add(id)
        after = last
      }
      expect(met.size).toBe(all.length)
    })

    test('of a stage holds the devices that are in it, by ring or label', async () => {
      const label = newId('pilot-')
      const [low, high, pilot] = [
        await record({ ring: 3 }),
        await record({ ring: 5 }),
        await record({ ring: 90 }),
      ]
      const names = { by: 'cli', now: at(1) }
      await store().setDeviceAttributes({ deviceId: pilot, changes: { labels: [label] }, ...names })
      const found = async (stage: RolloutStage) => {
        const { records } = await readSample(store(), { after: '', most: 1000, stage })
        for (const one of await collect()) {
          const plan = { ...DEFAULT_PLAN, stages: [stage] }
          expect(idsOf(records).includes(one.deviceId)).toBe(isInStage({ plan, stage: 0 }, one))
        }
        return [low, high, pilot].filter((id) => idsOf(records).includes(id))
      }
      expect(await found({ percent: 5, labels: [] })).toEqual([low])
      expect(await found({ percent: 5, labels: ['other', label] })).toEqual([low, pilot])
      expect(await found({ percent: 0, labels: [label] })).toEqual([pilot])
      expect(await found({ percent: 0, labels: ['"quoted", {}'] })).toEqual([])
      expect(await found({ percent: 100, labels: [] })).toEqual([low, high, pilot])
    })
  })
}
