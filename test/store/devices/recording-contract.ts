import { describe, expect, test } from 'vitest'
import type { VerdictChange } from '../../../src/store/devices/announcements.ts'
import { type GraceToNote, REFUSALS_KEPT_PER_DEVICE } from '../../../src/store/devices/recording.ts'
import {
  at,
  attestationOf,
  everythingAbout,
  NOTHING,
  newDeviceId,
  newId,
  refusalOf,
  type StoreUnderTest,
  VALIDITY_SECONDS,
} from '../fixtures.ts'

export function recordingContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = (input: Parameters<typeof attestationOf>[0]) =>
    store().recordAttestation(attestationOf(input))
  const about = (deviceId: string) => everythingAbout(subject(), deviceId)
  const announce = async (changes: readonly VerdictChange[]) => {
    const { revision } = await store().control()
    return store().announceVerdicts({ changes, revision, now: at(VALIDITY_SECONDS) })
  }
  const events = async (deviceId: string) => {
    const rows = await subject().query(
      `select type, payload from outbox where device_id = '${deviceId}' order by created_at, event_id`,
    )
    return rows.map((row) => row.payload as Record<string, unknown>)
  }

  test('a first attestation creates the device and all that belongs to it', async () => {
    const deviceId = newDeviceId()
    const input = attestationOf({ deviceId })
    const answer = await store().recordAttestation(input)
    expect(answer).toEqual({
      outcome: 'recorded',
      device: {
        enrolment: 'admitted',
        quarantine: null,
        owner: null,
        entraDeviceId: null,
        labels: [],
        ring: 42,
        previousVerdict: 'unknown',
        isCurrent: true,
        isNew: true,
        generation: 1,
        confirmationKey: 'confirmation-key',
        firstFailedAt: {},
        graces: {},
        statusPlace: expect.any(Number),
      },
    })
    const { record } = await store().trustRecord(deviceId)
    expect(record).toEqual({
      deviceId,
      keyKind: 'aik',
      enrolment: 'admitted',
      owner: null,
      entraDeviceId: null,
      labels: [],
      ring: 42,
      quarantine: null,
      attestation: input.attestation,
      firstFailedAt: {},
      graces: {},
      generation: 1,
      vouched: false,
      createdAt: at(0),
    })
    const rows = await about(deviceId)
    expect(rows.spent_nonce).toHaveLength(1)
    // Its own audit row: who, when, what, and what came of it.
    expect(rows.attestation).toMatchObject([
      { device_id: deviceId, at: at(0), verdict: 'trusted', is_current: true, is_new: true },
    ])
    expect(rows.recent_attestation).toHaveLength(1)
    expect(await events(deviceId)).toEqual([
      {
        at: '2026-03-01T12:00:00.000Z',
        cause: 'attestation',
        previousStatus: 'not-compliant',
        currentStatus: 'compliant',
        previousVerdict: 'unknown',
        currentVerdict: 'trusted',
        reasons: [],
        attestationId: input.attestation.attestationId,
      },
    ])
  })

  test.each(['new', 'known'])(
    'of 32 submissions of one nonce by a %s device one wins',
    async (kind) => {
      const deviceId = newDeviceId()
      if (kind === 'known') await record({ deviceId, at: -10 })
      const before = await about(deviceId)
      const nonceId = newId('nonce-')
      const answers = await Promise.all(
        Array.from({ length: 32 }, () => record({ deviceId, nonceId, verdict: 'untrusted' })),
      )
      const outcomes = answers.map(({ outcome }) => outcome)
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'nonce_spent')).toHaveLength(31)
      const after = await about(deviceId)
      for (const table of ['spent_nonce', 'attestation', 'outbox'] as const) {
        expect(after[table].length - before[table].length, table).toBe(1)
      }
      expect(after.device).toHaveLength(1)
    },
  )

  test('a replayed nonce writes nothing, whatever comes with it', async () => {
    const deviceId = newDeviceId()
    const nonceId = newId('nonce-')
    await record({ deviceId, nonceId })
    const before = await about(deviceId)
    const again = { verdict: 'untrusted', at: 60, nonceExpiresAt: 300 } as const
    const answer = await record({ deviceId, nonceId, ...again })
    expect(answer).toMatchObject({
      outcome: 'nonce_spent',
      device: { enrolment: 'admitted', previousVerdict: 'trusted', isCurrent: false },
    })
    expect(await about(deviceId)).toEqual(before)
  })

  test('the same nonce id of another device is another nonce', async () => {
    const nonceId = newId('nonce-')
    expect((await record({ deviceId: newDeviceId(), nonceId })).outcome).toBe('recorded')
    expect((await record({ deviceId: newDeviceId(), nonceId })).outcome).toBe('recorded')
  })

  test('a recording that fails halfway leaves nothing, and the nonce unspent', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, attestationId: 'att_twice' })
    const before = await about(deviceId)
    const nonceId = newId('nonce-')
    const again = record({ deviceId, nonceId, attestationId: 'att_twice' })
    await expect(again).rejects.toMatchObject({ name: 'StoreError', code: '23505' })
    expect(await about(deviceId)).toEqual(before)
    expect((await record({ deviceId, nonceId })).outcome).toBe('recorded')
  })

  describe('enrolment', () => {
    test('mode approval creates a device that waits, and nobody is told that it is trusted', async () => {
      const deviceId = newDeviceId()
      const answer = await record({ deviceId, enrolmentMode: 'approval' })
      expect(answer.device?.enrolment).toBe('pending')
      expect(await events(deviceId)).toEqual([])
      // Opening the service later admits nobody behind the administrator's back.
      expect((await record({ deviceId, at: 1 })).device?.enrolment).toBe('pending')
    })

    test('mode listed refuses an unknown key and keeps no trace of it', async () => {
      const deviceId = newDeviceId()
      const answer = await record({ deviceId, enrolmentMode: 'listed' })
      expect(answer).toEqual({ outcome: 'device_not_listed', device: null })
      expect(await about(deviceId)).toEqual(NOTHING)
    })

    test('mode listed accepts a listed device with its attributes', async () => {
      const deviceId = newDeviceId()
      const listed = { deviceKeyHash: 'hash', keyKind: 'aik', ring: 7 } as const
      const attributes = { owner: 'ada@example.com', entraDeviceId: 'entra-1', labels: ['lab'] }
      const enrol = { deviceId, ...listed, attributes, by: 'admin', now: at(0) }
      expect(await store().enrolDevice(enrol)).toBe('applied')
      expect(await store().enrolDevice(enrol)).toBe('unchanged')
      expect((await store().trustRecord(deviceId)).record?.attestation).toBeNull()
      const answer = await record({ deviceId, enrolmentMode: 'listed', at: 1 })
      expect(answer).toMatchObject({
        outcome: 'recorded',
        device: { owner: 'ada@example.com', labels: ['lab'], ring: 7, previousVerdict: 'unknown' },
      })
    })
  })

  describe('order', () => {
    test('an older attestation does not replace a newer one', async () => {
      const deviceId = newDeviceId()
      const newer = attestationOf({ deviceId, at: 100 })
      await store().recordAttestation(newer)
      const answer = await record({ deviceId, at: 50, verdict: 'untrusted' })
      expect(answer).toMatchObject({ outcome: 'recorded', device: { isCurrent: false } })
      const { record: kept } = await store().trustRecord(deviceId)
      expect(kept?.attestation).toEqual(newer.attestation)
      expect((await about(deviceId)).attestation).toHaveLength(2)
      expect(await events(deviceId)).toHaveLength(1)
    })

    test('of many attestations at once the newest is the trust record', async () => {
      const deviceId = newDeviceId()
      const seconds = Array.from({ length: 24 }, (_, index) => (index * 7) % 24)
      const answers = await Promise.all(
        seconds.map((second) =>
          record({ deviceId, at: second, verdict: second % 2 === 0 ? 'trusted' : 'untrusted' }),
        ),
      )
      expect(answers.every(({ outcome }) => outcome === 'recorded')).toBe(true)
      const detail = await store().deviceDetail(deviceId, at(30))
      expect(detail?.record.attestation?.attestedAt).toEqual(at(23))
      expect(detail?.recordedVerdict).toBe('untrusted')
      const rows = await about(deviceId)
      expect(rows.attestation).toHaveLength(24)
      // Each announced change begins where the one before ended.
      let verdict: unknown = 'unknown'
      for (const event of (await events(deviceId)) as Record<string, string>[]) {
        expect(event.previousVerdict).toBe(verdict)
        verdict = event.currentVerdict
      }
      expect(verdict).toBe('untrusted')
    })
  })

  describe('events', () => {
    test('leave only when others were told something else', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      await record({ deviceId, at: 1 })
      await record({ deviceId, at: 2, verdict: 'untrusted', reasons: ['secure_boot'] })
      await record({ deviceId, at: 3, verdict: 'untrusted' })
      expect(await events(deviceId)).toMatchObject([
        { previousVerdict: 'unknown', currentVerdict: 'trusted' },
        { previousVerdict: 'trusted', currentVerdict: 'untrusted', reasons: ['secure_boot'] },
      ])
    })

    test('know that others were told that the attestation before had expired', async () => {
      const deviceId = newDeviceId()
      const first = attestationOf({ deviceId })
      await store().recordAttestation(first)
      const { attestationId } = first.attestation
      const expiry = { deviceId, previous: 'trusted', verdict: 'stale', attestationId } as const
      await announce([{ ...expiry, reasons: [{ code: 'stale' }], unmet: [] }])
      const answer = await record({ deviceId, at: VALIDITY_SECONDS + 1 })
      expect(answer.device?.previousVerdict).toBe('stale')
      expect((await events(deviceId)).slice(1)).toMatchObject([
        { cause: 'sweep', previousVerdict: 'trusted', currentVerdict: 'stale', attestationId },
        {
          cause: 'attestation',
          previousVerdict: 'stale',
          previousStatus: 'not-compliant',
          currentStatus: 'compliant',
        },
      ])
    })

    test('are none for an expiry that nobody was told of before the next attestation', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      const answer = await record({ deviceId, at: VALIDITY_SECONDS })
      expect(answer.device?.previousVerdict).toBe('stale')
      expect(await events(deviceId)).toHaveLength(1)
    })

    test('are left to the sweep where something may relieve the device', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      await record({ deviceId, at: 1, verdict: 'untrusted', announcedVerdict: null })
      expect(await events(deviceId)).toHaveLength(1)
      await record({ deviceId, at: 2, verdict: 'untrusted' })
      expect((await events(deviceId)).slice(1)).toMatchObject([
        { previousVerdict: 'trusted', currentVerdict: 'untrusted' },
      ])
      const other = newDeviceId()
      await record({ deviceId: other, verdict: 'untrusted', announcedVerdict: null })
      expect(await events(other)).toEqual([])
    })
  })

  test('a clause that keeps failing keeps the time since which it fails', async () => {
    const deviceId = newDeviceId()
    const failing = async (second: number, failedClauses: string[]) => {
      await record({ deviceId, at: second, failedClauses })
      return (await store().deviceDetail(deviceId, at(second)))?.firstFailedAt
    }
    expect(await failing(0, ['bitlocker'])).toEqual({ bitlocker: at(0).toISOString() })
    expect(await failing(5, ['bitlocker', 'hvci'])).toEqual({
      bitlocker: at(0).toISOString(),
      hvci: at(5).toISOString(),
    })
    expect(await failing(9, ['hvci'])).toEqual({ hvci: at(5).toISOString() })
    expect(await failing(12, ['bitlocker'])).toEqual({ bitlocker: at(12).toISOString() })
  })

  describe('the grace of a clause', () => {
    // Short, as other tests count devices of later times.
    const DAY = 1000
    const attest = async (
      deviceId: string,
      second: number,
      grace: { failing: boolean; rests?: boolean; bound?: number; anew?: number } | undefined,
      changes: Omit<Parameters<typeof record>[0], 'deviceId'> = {},
    ) => {
      const { failing = false, rests = false, bound = -DAY, anew } = grace ?? {}
      const state: GraceToNote['state'] = failing ? 'fails' : rests ? 'rests' : 'met'
      const times = { since: at(bound), anew: anew === undefined ? null : at(anew) }
      const note = { clause: 'bitlocker', state, bound: times, forgottenAfterMs: DAY * 7000 }
      const answer = await record({
        ...{ deviceId, at: second, nonceExpiresAt: second + 300 },
        failedClauses: failing ? ['bitlocker'] : [],
        graces: grace === undefined ? [] : [note],
        ...changes,
      })
      const { record: found } = await store().trustRecord(deviceId)
      expect(answer.device?.graces).toEqual(found?.graces)
      return found?.graces.bitlocker
    }
    const since = (second: number) => ({ since: at(second).toISOString() })
    const met = (second: number, end: number) => ({ ...since(second), met: at(end).toISOString() })

    test('is noted when a clause that binds fails, and stays while it does', async () => {
      const deviceId = newDeviceId()
      expect(await attest(deviceId, 0, { failing: true })).toEqual(since(0))
      expect(await attest(deviceId, 50, { failing: true, bound: 40 })).toEqual(since(0))
      expect(await attest(deviceId, 60, undefined)).toBeUndefined()
    })

    test('begins when the clause began to bind a device that failed it before', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0, undefined, { failedClauses: ['bitlocker'] })
      expect(await attest(deviceId, 50, { failing: true, bound: 30 })).toEqual(since(30))
      const earlier = newDeviceId()
      await attest(earlier, 0, undefined, { failedClauses: ['bitlocker'] })
      expect(await attest(earlier, 50, { failing: true, bound: -30 })).toEqual(since(0))
    })

    test('begins then for one that proves the same again, and else with what it proves now', async () => {
      const same = newDeviceId()
      await attest(same, 0, undefined)
      expect(await attest(same, 50, { failing: true, bound: 30 })).toEqual(since(30))
      const changed = newDeviceId()
      await attest(changed, 0, undefined)
      const claims = { secureBootEnabled: false }
      expect(await attest(changed, 50, { failing: true, bound: 30 }, { claims })).toEqual(since(50))
      // It met the clause when that bound it already.
      const broken = newDeviceId()
      await attest(broken, 0, { failing: false })
      expect(await attest(broken, 50, { failing: true })).toEqual(since(50))
    })

    test('is not given anew to a device that comes and goes, but after a while', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0, { failing: true })
      expect(await attest(deviceId, DAY, { failing: false })).toEqual(met(0, DAY))
      expect(await attest(deviceId, 2 * DAY, { failing: false })).toEqual(met(0, DAY))
      expect(await attest(deviceId, 3 * DAY, { failing: true })).toEqual(since(0))
      await attest(deviceId, 4 * DAY, { failing: false })
      expect(await attest(deviceId, 11 * DAY, { failing: true })).toEqual(since(11 * DAY))
      await attest(deviceId, 12 * DAY, { failing: false })
      expect(await attest(deviceId, 19 * DAY, { failing: false })).toBeUndefined()
    })

    test('is given anew where documents came to bind the device after it met the clause', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0, { failing: true })
      await attest(deviceId, 100, { failing: false })
      expect(await attest(deviceId, 200, { failing: true, bound: 150 })).toEqual(since(150))
    })

    test('is given anew where documents bound the device no more for a while', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 0, { failing: true })
      const bound = { failing: true, bound: 150, anew: 150 }
      expect(await attest(deviceId, 200, bound)).toEqual(since(150))
      expect(await attest(deviceId, 300, bound)).toEqual(since(150))
    })

    test('is left as it is while the clause rests, and begins with none of that', async () => {
      const deviceId = newDeviceId()
      expect(await attest(deviceId, 0, { failing: false, rests: true })).toBeUndefined()
      await attest(deviceId, 50, { failing: true })
      expect(await attest(deviceId, 60, { failing: false, rests: true })).toEqual(since(50))
      await attest(deviceId, 70, { failing: false })
      expect(await attest(deviceId, 80, { failing: false, rests: true })).toEqual(met(50, 70))
    })

    test('is left as it is by evidence that was overtaken', async () => {
      const deviceId = newDeviceId()
      await attest(deviceId, 100, { failing: true })
      expect(await attest(deviceId, 50, { failing: false })).toEqual(since(100))
    })
  })

  describe('refusals', () => {
    test('are kept without a device, and create none', async () => {
      const deviceId = newDeviceId()
      const refusal = refusalOf(deviceId, { stage: 'proof', trace: { at: 'dpop' } })
      await store().recordRefusal(refusal)
      const rows = await about(deviceId)
      expect(rows).toMatchObject({ device: [], spent_nonce: [], audit: [], outbox: [] })
      const { entries } = await store().deviceHistory(deviceId, { limit: 10 })
      expect(entries).toMatchObject([
        { outcome: 'refused', stage: 'proof', reasons: [{ code: 'token_expired' }], verdict: null },
      ])
    })

    test('change nothing that is known about a device', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId })
      const before = await about(deviceId)
      await store().recordRefusal(refusalOf(deviceId, { at: at(9) }))
      const { refusal: _, ...after } = await about(deviceId)
      expect(before).toMatchObject(after)
    })

    test('are bounded to the newest, also when they come all at once', async () => {
      const deviceId = newDeviceId()
      await record({ deviceId, at: -1 })
      await Promise.all(
        Array.from({ length: 32 }, (_, second) =>
          store().recordRefusal(refusalOf(deviceId, { at: at(second) })),
        ),
      )
      const { entries } = await store().deviceHistory(deviceId, { limit: 100 })
      const refused = entries.filter(({ outcome }) => outcome === 'refused')
      expect(refused).toHaveLength(REFUSALS_KEPT_PER_DEVICE)
      expect(refused.map((entry) => entry.at)).toEqual(
        Array.from({ length: 20 }, (_, index) => at(31 - index)),
      )
      expect(entries.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1)
    })
  })

  test('text that PostgreSQL cannot store fails nothing', async () => {
    const deviceId = newDeviceId()
    const hostile = 'a\0b\ud800c'
    const harmless = 'back\\u0000slash'
    const claims = { bootRevListInfo: hostile, osRevListInfo: harmless }
    await record({ deviceId, claims, reasons: [{ [hostile]: hostile }] })
    await store().recordRefusal(refusalOf(deviceId, { issuer: hostile, trace: [hostile] }))
    const kept = 'a\uFFFDb\uFFFDc'
    const { record: found } = await store().trustRecord(deviceId)
    expect(found?.attestation?.claims).toEqual({ bootRevListInfo: kept, osRevListInfo: harmless })
    const { entries } = await store().deviceHistory(deviceId, { limit: 2 })
    expect(entries.map(({ reasons }) => reasons)).toContainEqual([{ [kept]: kept }])
  })
}
