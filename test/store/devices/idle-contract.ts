import { describe, expect, test } from 'vitest'
import {
  attestationOf,
  everythingAbout,
  newDeviceId,
  refusalOf,
  type StoreUnderTest,
} from '../fixtures.ts'

/** Devices that nobody sees any more. Days after a start of their own, so that no other test's are met. */
export function idleContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const day = (days: number) => new Date(Date.parse('2020-01-01T12:00:00Z') + days * 86_400_000)
  const attest = async (deviceId: string, days: number) => {
    const input = attestationOf({ deviceId })
    const validUntil = new Date(day(days).getTime() + 3_600_000)
    const attestation = { ...input.attestation, attestedAt: day(days), validUntil }
    return store().recordAttestation({ ...input, attestation })
  }
  const archive = (days: number, before: number, batch = 100) =>
    store().archiveIdleDevices({ before: day(before), now: day(days), by: 'service', batch })
  const remove = (days: number, before: number, batch = 100) =>
    store().removeArchivedDevices({ before: day(before), now: day(days), by: 'service', batch })
  const about = (deviceId: string) => everythingAbout(subject(), deviceId)
  const actions = async (deviceId: string) =>
    (await about(deviceId)).audit.map((row) => Object(row).action)

  describe('an idle device', () => {
    test('is archived after its day, comes back with its next attestation, and is told of', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0)
      expect(await archive(10, 0)).toBe(0)
      expect(await archive(10, 1)).toBe(1)
      expect(await archive(10, 1)).toBe(0)
      expect((await about(deviceId)).device).toMatchObject([{ archived_at: day(10) }])
      await attest(deviceId, 11)
      expect((await about(deviceId)).device).toMatchObject([{ archived_at: null }])
      expect(await remove(99, 98)).toBe(0)
      expect(
        (await actions(deviceId)).filter((action) => action === 'device.archived'),
      ).toHaveLength(1)
      await store().quarantineDevice({ deviceId, by: 'a', reason: 'r', now: day(12) })
    })

    test('is removed some time after, and what was done and tried goes with its partitions', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0)
      await store().recordRefusal(refusalOf(deviceId, { at: day(1) }))
      await archive(10, 5)
      expect(await remove(20, 10)).toBe(0)
      expect(await remove(20, 11)).toBe(1)
      expect(await remove(20, 11)).toBe(0)
      const left = await about(deviceId)
      expect([left.device, left.recent_attestation]).toEqual([[], []])
      expect(await actions(deviceId)).toEqual(['device.archived', 'device.removed'])
      // The same key is a new device then.
      expect((await attest(deviceId, 21)).device?.isNew).toBe(true)
      await store().quarantineDevice({ deviceId, by: 'a', reason: 'r', now: day(22) })
    })

    test('that is quarantined stays, before it is archived and after', async () => {
      const [stolen, later] = [newDeviceId(), newDeviceId()]
      for (const deviceId of [stolen, later]) await attest(deviceId, 0)
      const change = { by: 'a', reason: 'stolen', now: day(1) }
      await store().quarantineDevice({ deviceId: stolen, ...change })
      expect(await archive(900, 800)).toBe(1)
      await store().quarantineDevice({ deviceId: later, ...change })
      expect(await remove(1900, 1800)).toBe(0)
      for (const deviceId of [stolen, later]) {
        expect((await store().trustRecord(deviceId)).record?.quarantine).not.toBeNull()
      }
    })

    test('that was listed and never came is not idle: an administrator said that it will', async () => {
      const deviceId = newDeviceId()
      const who = { keyKind: 'aik', deviceKeyHash: 'h', ring: 1, attributes: {} } as const
      await store().enrolDevice({ deviceId, ...who, by: 'a', now: day(0) })
      expect(await archive(900, 800)).toBe(0)
    })

    test('is archived and removed once, by however many do it at once', async () => {
      const ids = Array.from({ length: 30 }, newDeviceId)
      for (const deviceId of ids) await attest(deviceId, 0)
      const archived = await Promise.all(Array.from({ length: 8 }, () => archive(10, 5, 5)))
      let sum = archived.reduce((all, one) => all + one, 0)
      for (let more = 1; more > 0; sum += more) more = await archive(10, 5, 7)
      expect(sum).toBe(ids.length)
      await Promise.all(Array.from({ length: 8 }, () => remove(20, 11, 4)))
      while ((await remove(20, 11, 7)) > 0);
      for (const deviceId of ids) {
        const gone = await actions(deviceId)
        expect(gone.filter((action) => action === 'device.removed')).toHaveLength(1)
      }
    })
  })

  test('devices for which nobody vouches are counted as far as is asked for', async () => {
    const before = await store().countUnvouched(100_000)
    for (let i = 0; i < 3; i++) await attest(newDeviceId(), 0)
    expect(await store().countUnvouched(100_000)).toBe(before + 3)
    expect(await store().countUnvouched(2)).toBe(2)
  })
}
