import { describe, expect, test } from 'vitest'
import { type FleetRecord, readFleet } from '../../src/store/fleet-reads.ts'
import { at, attestationOf, newDeviceId, type StoreUnderTest } from './fixtures.ts'

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
      for (const id of [deviceId, listed]) {
        const { record: trust } = await store().trustRecord(id)
        if (trust?.attestation == null) throw new TypeError('the device is on record')
        const { attestationId, confirmationKey, ...attestation } = trust.attestation
        const quarantine = trust.quarantine && {}
        const expected = { ...trust, attestation, quarantine }
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
}
