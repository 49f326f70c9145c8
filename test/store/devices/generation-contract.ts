import { expect, test } from 'vitest'
import {
  at,
  attestationOf,
  everythingAbout,
  newDeviceId,
  type StoreUnderTest,
} from '../fixtures.ts'

/** What ends device tokens, and whether hardware was proven: both in the row that decisions read. */
export function generationContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const attest = (deviceId: string, confirmationKey: string, seconds: number) =>
    store().recordAttestation(attestationOf({ deviceId, confirmationKey, at: seconds }))
  const generation = async (deviceId: string) =>
    (await store().trustRecord(deviceId)).record?.generation
  const change = (deviceId: string, seconds: number) => ({
    deviceId,
    by: 'cli_admin',
    reason: 'lost',
    now: at(seconds),
  })

  test('another key raises the generation, the same key does not, and going back does again', async () => {
    const deviceId = newDeviceId()
    for (const [seconds, key, expected] of [
      [0, 'a', 1],
      [1, 'a', 1],
      [2, 'b', 2],
      [3, 'b', 2],
      [4, 'a', 3],
    ] as const) {
      const { device } = await attest(deviceId, key, seconds)
      expect(device).toMatchObject({ generation: expected, confirmationKey: key })
      expect(await generation(deviceId)).toBe(expected)
    }
  })

  test('an attestation that arrives late neither raises it nor is told that its key counts', async () => {
    const deviceId = newDeviceId()
    await attest(deviceId, 'new', 5)
    const { device } = await attest(deviceId, 'old', 1)
    expect(device).toMatchObject({ isCurrent: false, generation: 1, confirmationKey: 'new' })
    expect(await generation(deviceId)).toBe(1)
  })

  test('of many keys that race one counts in the end, and each raised it once at most', async () => {
    const deviceId = newDeviceId()
    const keys = Array.from({ length: 16 }, (_, index) => `key-${index}`)
    const answers = await Promise.all(keys.map((key) => attest(deviceId, key, 0)))
    const { record } = await store().trustRecord(deviceId)
    const counting = answers.filter(
      ({ device }) => device?.isCurrent && device.generation === record?.generation,
    )
    expect(counting.map(({ device }) => device?.confirmationKey)).toEqual([
      record?.attestation?.confirmationKey,
    ])
    expect(new Set(answers.map(({ device }) => device?.generation)).size).toBe(keys.length)
  })

  test('quarantine, release and signing out raise it, and what changes nothing does not', async () => {
    const deviceId = newDeviceId()
    await attest(deviceId, 'a', 0)
    const { quarantineDevice, releaseDevice, admitDevice, signOutDevice } = store()
    const steps = [
      [quarantineDevice, 'applied', 2],
      [quarantineDevice, 'unchanged', 2],
      [releaseDevice, 'applied', 3],
      [releaseDevice, 'unchanged', 3],
      [admitDevice, 'unchanged', 3],
      [signOutDevice, 'applied', 4],
      [signOutDevice, 'applied', 5],
    ] as const
    for (const [index, [step, answer, expected]] of steps.entries()) {
      expect(await step(change(deviceId, index + 1))).toBe(answer)
      expect(await generation(deviceId)).toBe(expected)
    }
  })

  test('signing out is audited and changes no verdict, which nobody is told of then', async () => {
    const deviceId = newDeviceId()
    await attest(deviceId, 'a', 0)
    const before = await everythingAbout(subject(), deviceId)
    expect(await store().signOutDevice(change(deviceId, 3))).toBe('applied')
    const after = await everythingAbout(subject(), deviceId)
    expect(after.outbox).toEqual(before.outbox)
    expect(after.audit).toHaveLength(before.audit.length + 1)
    expect(after.audit).toContainEqual(
      expect.objectContaining({
        actor: 'cli_admin',
        action: 'device.signed-out',
        detail: { reason: 'lost', generation: 2 },
      }),
    )
    expect(await store().signOutDevice(change(newDeviceId(), 0))).toBe('device_unknown')
  })

  test.each([
    [true, true],
    [false, false],
    [undefined, false],
  ])('evidence that says aikValidated %s is vouched for: %s', async (aikValidated, vouched) => {
    const deviceId = newDeviceId()
    const attested = (claims: object, seconds: number) =>
      store().recordAttestation(attestationOf({ deviceId, claims, at: seconds }))
    await attested({ aikValidated: !vouched }, 0)
    await attested(aikValidated === undefined ? {} : { aikValidated }, 1)
    expect((await store().trustRecord(deviceId)).record?.vouched).toBe(vouched)
    const rows = await store().fleetPage({ after: '', limit: 5000, leaveOut: ['aikValidated'] })
    expect(rows).toContainEqual(expect.objectContaining({ deviceId, vouched }))
  })
}
