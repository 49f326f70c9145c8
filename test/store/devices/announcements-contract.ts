import { expect, test } from 'vitest'
import type { Verdict } from '../../../src/access/trust-record.ts'
import type { VerdictChange } from '../../../src/store/devices/announcements.ts'
import { at, attestationOf, newDeviceId, type StoreUnderTest } from '../fixtures.ts'

export function announcementsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = async (input: Partial<Parameters<typeof attestationOf>[0]> = {}) => {
    const attestation = attestationOf({ deviceId: newDeviceId(), ...input })
    await store().recordAttestation(attestation)
    return attestation
  }
  type Recorded = Awaited<ReturnType<typeof record>>
  const changeOf = (
    { deviceId, attestation }: Recorded,
    previous: Verdict,
    verdict: Verdict,
  ): VerdictChange => {
    const { attestationId } = attestation
    const reasons = [{ code: 'because' }]
    return { deviceId, previous, verdict, reasons, attestationId, unmet: ['clause'] }
  }
  const announce = async (...changes: readonly VerdictChange[]) => {
    const { revision } = await store().control()
    return store().announceVerdicts({ changes, revision, now: at(60) })
  }
  const told = async (...recorded: readonly Recorded[]) => {
    const ids = recorded.map(({ deviceId }) => `'${deviceId}'`).join()
    const rows = await subject().query(`select payload from outbox
      where device_id in (${ids}) and payload ->> 'cause' = 'sweep' order by device_id`)
    return rows.map(({ payload }) => payload)
  }
  const announcedVerdict = async ({ deviceId }: Recorded) => {
    const rows = await subject().query(
      `select announced_verdict from device where device_id = '${deviceId}'`,
    )
    return rows[0]?.announced_verdict
  }
  const nobody = (deviceId: string) => ({ deviceId, by: 'admin', reason: 'r', now: at(30) })

  test('changes of many devices are told and noted together', async () => {
    const first = await record()
    const second = await record({ verdict: 'untrusted' })
    const count = await announce(
      changeOf(first, 'trusted', 'stale'),
      changeOf(second, 'untrusted', 'trusted'),
    )
    expect(count).toBe(2)
    expect(await told(first, second)).toEqual([
      {
        at: at(60).toISOString(),
        cause: 'sweep',
        previousStatus: 'compliant',
        currentStatus: 'not-compliant',
        previousVerdict: 'trusted',
        currentVerdict: 'stale',
        reasons: [{ code: 'because' }],
        attestationId: first.attestation.attestationId,
      },
      expect.objectContaining({ previousVerdict: 'untrusted', currentStatus: 'compliant' }),
    ])
    expect(await announcedVerdict(first)).toBe('stale')
    expect(await announcedVerdict(second)).toBe('trusted')
  })

  test('of many who tell one change at once one does', async () => {
    const devices = await Promise.all(Array.from({ length: 8 }, () => record()))
    const changes = devices.map((device) => changeOf(device, 'trusted', 'stale'))
    const counts = await Promise.all(
      // In any order: none of them waits for another in a circle.
      Array.from({ length: 16 }, (_, turn) =>
        announce(...(turn % 2 === 0 ? changes : changes.toReversed())),
      ),
    )
    expect(counts.map(Number).reduce((sum, count) => sum + count, 0)).toBe(8)
    expect(await told(...devices)).toHaveLength(8)
    expect(await announce(...changes)).toBe(0)
  })

  test('a change is not told once the device has attested again, or others were told of it', async () => {
    const device = await record()
    const change = changeOf(device, 'trusted', 'stale')
    await record({ deviceId: device.deviceId, at: 1 })
    expect(await announce(change)).toBe(0)
    const other = await record({ verdict: 'untrusted' })
    expect(await announce(changeOf(other, 'trusted', 'stale'))).toBe(0)
    expect(await announce(changeOf(other, 'untrusted', 'untrusted'))).toBe(0)
    expect(await told(device, other)).toEqual([])
    expect(await announcedVerdict(device)).toBe('trusted')
  })

  test('nothing is told by rules that are no longer in force', async () => {
    const device = await record()
    const { revision } = await store().control()
    const target = { kind: 'label', name: 'nobody' } as const
    const names = { overrideId: `ovr_${device.deviceId}`, author: 'a', reason: 'r' }
    const what = { action: 'allow' } as const
    await store().createOverride({ what, target, ...names, now: at(0), expiresAt: at(1) })
    const changes = [changeOf(device, 'trusted', 'stale')]
    const answer = await store().announceVerdicts({ changes, revision, now: at(60) })
    expect(answer).toBe('superseded')
    expect(await told(device)).toEqual([])
    expect(await announcedVerdict(device)).toBe('trusted')
  })

  test('nobody is told that a quarantined or waiting device is trusted, whoever says so', async () => {
    const quarantined = await record()
    await store().quarantineDevice(nobody(quarantined.deviceId))
    const waiting = await record({ enrolmentMode: 'approval' })
    for (const verdict of ['trusted', 'untrusted', 'stale'] as const) {
      expect(await announce(changeOf(quarantined, 'quarantined', verdict))).toBe(0)
      expect(await announce(changeOf(waiting, 'unknown', verdict))).toBe(0)
    }
    const free = await record()
    expect(await announce(changeOf(free, 'trusted', 'quarantined'))).toBe(0)
    expect(await told(quarantined, waiting, free)).toEqual([])
  })

  test('a process of the version before, which says no clauses, leaves those that are noted', async () => {
    const device = await record()
    const unmet = async () => {
      const [row] = await subject().query(
        `select to_jsonb(unmet)::text as unmet from device where device_id = '${device.deviceId}'`,
      )
      return JSON.parse(String(row?.unmet))
    }
    expect(await announce(changeOf(device, 'trusted', 'untrusted'))).toBe(1)
    expect(await unmet()).toEqual(['clause'])
    // Its call, word for word: what it hands over has no member `clauses`.
    const { revision } = await store().control()
    const change = {
      ...{ device_id: device.deviceId, event_id: crypto.randomUUID(), reasons: [] },
      ...{ previous: 'untrusted', verdict: 'stale' },
      attestation_id: device.attestation.attestationId,
    }
    const [row] = await subject().query(`select told from announce_verdicts(
      p_changes => '${JSON.stringify([change])}', p_revision => ${revision},
      p_at => '${at(90).toISOString()}') as told`)
    expect(row?.told).toBe(1)
    expect(await announcedVerdict(device)).toBe('stale')
    expect(await unmet()).toEqual(['clause'])
  })

  test('a device that never attested is told of too', async () => {
    const deviceId = newDeviceId()
    const listed = { keyKind: 'aik', deviceKeyHash: 'hash', ring: 7, attributes: {} } as const
    await store().enrolDevice({ deviceId, ...listed, by: 'admin', now: at(0) })
    const none = { deviceId, reasons: [], attestationId: null, unmet: [] } as const
    expect(await announce({ ...none, previous: 'unknown', verdict: 'untrusted' })).toBe(1)
    expect(await announce({ ...none, previous: 'unknown', verdict: 'untrusted' })).toBe(0)
  })

  test('no changes are no work', async () => {
    expect(await announce()).toBe(0)
  })
}
