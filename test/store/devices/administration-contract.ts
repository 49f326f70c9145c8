import { describe, expect, test } from 'vitest'
import {
  at,
  attestationOf,
  everythingAbout,
  newDeviceId,
  type StoreUnderTest,
} from '../fixtures.ts'

export function administrationContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = (input: Parameters<typeof attestationOf>[0]) =>
    store().recordAttestation(attestationOf(input))
  const about = (deviceId: string) => everythingAbout(subject(), deviceId)
  const lastEvent = async (deviceId: string) => {
    const rows = await subject().query(
      `select payload from outbox where device_id = '${deviceId}' order by created_at, event_id`,
    )
    return rows.at(-1)?.payload
  }
  const change = (deviceId: string, seconds: number) => ({
    deviceId,
    by: 'cli_admin',
    reason: 'ticket 17',
    now: at(seconds),
  })

  test('quarantine ends trust, says so, and is not repeated', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId })
    expect(await store().quarantineDevice(change(deviceId, 5))).toBe('applied')
    const after = await about(deviceId)
    expect((await store().trustRecord(deviceId)).record?.quarantine).toEqual({
      at: at(5),
      by: 'cli_admin',
      reason: 'ticket 17',
    })
    expect(await lastEvent(deviceId)).toMatchObject({
      cause: 'administrator',
      previousVerdict: 'trusted',
      currentVerdict: 'quarantined',
      previousStatus: 'compliant',
      currentStatus: 'not-compliant',
    })
    expect(after.audit).toContainEqual(
      expect.objectContaining({ actor: 'cli_admin', action: 'device.quarantined' }),
    )
    expect(await store().quarantineDevice(change(deviceId, 9))).toBe('unchanged')
    expect(await about(deviceId)).toEqual(after)
  })

  test('an attestation of a quarantined device is recorded and announced to nobody', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId })
    await store().quarantineDevice(change(deviceId, 1))
    const events = (await about(deviceId)).outbox.length
    const answer = await record({ deviceId, at: 2, verdict: 'untrusted' })
    expect(answer.device?.quarantine).toEqual({ at: at(1), by: 'cli_admin', reason: 'ticket 17' })
    expect((await about(deviceId)).outbox).toHaveLength(events)
    // What it attested meanwhile is what it is released to.
    expect(await store().releaseDevice(change(deviceId, 3))).toBe('applied')
    expect(await lastEvent(deviceId)).toMatchObject({
      previousVerdict: 'quarantined',
      currentVerdict: 'untrusted',
    })
  })

  test('release gives back the verdict of the last attestation, once', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId })
    await store().quarantineDevice(change(deviceId, 1))
    expect(await store().releaseDevice(change(deviceId, 2))).toBe('applied')
    expect((await store().trustRecord(deviceId)).record?.quarantine).toBeNull()
    expect(await lastEvent(deviceId)).toMatchObject({
      currentVerdict: 'trusted',
      currentStatus: 'compliant',
    })
    expect(await store().releaseDevice(change(deviceId, 3))).toBe('unchanged')
  })

  test('admission makes a trusted device compliant, once', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, enrolmentMode: 'approval' })
    expect(await store().admitDevice(change(deviceId, 1))).toBe('applied')
    expect((await store().trustRecord(deviceId)).record?.enrolment).toBe('admitted')
    expect(await lastEvent(deviceId)).toMatchObject({
      previousStatus: 'not-compliant',
      currentStatus: 'compliant',
    })
    expect(await store().admitDevice(change(deviceId, 2))).toBe('unchanged')
  })

  test('admission of a device that stays non-compliant announces nothing', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, enrolmentMode: 'approval', verdict: 'untrusted' })
    const events = (await about(deviceId)).outbox.length
    expect(await store().admitDevice(change(deviceId, 1))).toBe('applied')
    expect((await about(deviceId)).outbox).toHaveLength(events)
  })

  test('nothing is changed about an unknown device', async () => {
    const deviceId = newDeviceId()
    const { quarantineDevice, releaseDevice, admitDevice, setDeviceAttributes } = store()
    for (const apply of [quarantineDevice, releaseDevice, admitDevice]) {
      expect(await apply(change(deviceId, 0))).toBe('device_unknown')
      expect(await apply(change('dev_\0', 0))).toBe('device_unknown')
    }
    const set = { deviceId, changes: { owner: 'x' }, by: 'admin', now: at(0) }
    expect(await setDeviceAttributes(set)).toBe('device_unknown')
    expect(Object.values(await about(deviceId)).flat()).toEqual([])
  })

  test('of many administrators at once one quarantines', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId })
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, index) => store().quarantineDevice(change(deviceId, index))),
    )
    expect(answers.filter((answer) => answer === 'applied')).toHaveLength(1)
    const { audit, outbox } = await about(deviceId)
    expect([audit.length, outbox.length]).toEqual([1, 2])
  })

  test('what is announced of a device begins where the announcement before ended', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, enrolmentMode: 'approval' })
    await store().quarantineDevice(change(deviceId, 1))
    await store().releaseDevice(change(deviceId, 2))
    await store().admitDevice(change(deviceId, 3))
    await store().quarantineDevice(change(deviceId, 4))
    await record({ deviceId, at: 5, verdict: 'untrusted' })
    await store().releaseDevice(change(deviceId, 6))
    const rows = await subject().query(`select payload ->> 'previousVerdict' as previous,
      payload ->> 'currentVerdict' as current from outbox where device_id = '${deviceId}'
      order by created_at`)
    expect(rows.map(({ previous, current }) => `${previous} ${current}`)).toEqual([
      'unknown quarantined',
      // Released, but nobody has admitted it.
      'quarantined unknown',
      'unknown trusted',
      'trusted quarantined',
      'quarantined untrusted',
    ])
  })

  test('a quarantine that races attestations wins over all of them', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, at: -1 })
    const attest = (second: number) =>
      record({ deviceId, at: second, verdict: second % 2 ? 'trusted' : 'untrusted' })
    await Promise.all([
      ...Array.from({ length: 8 }, (_, second) => attest(second)),
      store().quarantineDevice(change(deviceId, 4)),
      ...Array.from({ length: 8 }, (_, second) => attest(8 + second)),
    ])
    const detail = await store().deviceDetail(deviceId, at(20))
    expect(detail).toMatchObject({ verdict: 'quarantined', recordedVerdict: 'trusted' })
    expect(detail?.record.attestation?.attestedAt).toEqual(at(15))
    const { outbox } = await about(deviceId)
    const payloads = outbox.map((row) => (row as { payload: Record<string, unknown> }).payload)
    expect(payloads.filter(({ currentVerdict }) => currentVerdict === 'quarantined')).toHaveLength(
      1,
    )
    expect(payloads.filter(({ previousVerdict }) => previousVerdict === 'quarantined')).toEqual([])
  })

  describe('attributes', () => {
    test('change one by one, with what was before in the audit', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      const set = (changes: object, seconds: number) =>
        store().setDeviceAttributes({ deviceId, changes, by: 'cli_admin', now: at(seconds) })
      expect(await set({ owner: 'ada', labels: ['a', 'b,"c'] }, 1)).toBe('applied')
      expect(await set({ entraDeviceId: 'e-1' }, 2)).toBe('applied')
      expect((await store().trustRecord(deviceId)).record).toMatchObject({
        owner: 'ada',
        labels: ['a', 'b,"c'],
        entraDeviceId: 'e-1',
      })
      expect(await set({ owner: 'ada' }, 3)).toBe('unchanged')
      expect(await set({}, 4)).toBe('unchanged')
      expect(await set({ owner: null, labels: [] }, 5)).toBe('applied')
      expect((await store().trustRecord(deviceId)).record).toMatchObject({
        owner: null,
        labels: [],
        entraDeviceId: 'e-1',
      })
      const rows = await subject().query(
        `select detail from audit where device_id = '${deviceId}' and action = 'device.attributes-set' order by at`,
      )
      expect(rows.at(-1)?.detail).toEqual({
        before: {
          ...{ owner: 'ada', labels: ['a', 'b,"c'], entraDeviceId: 'e-1' },
          ...{ name: null, serial: null },
        },
        changes: { owner: null, labels: [] },
      })
      // An attestation leaves them as they are.
      await record({ deviceId, at: 9 })
      expect((await store().trustRecord(deviceId)).record?.entraDeviceId).toBe('e-1')
    })
  })
}
