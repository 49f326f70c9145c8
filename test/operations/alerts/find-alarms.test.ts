import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Alarm } from '../../../src/alerts/alarms.ts'
import { createMetrics } from '../../../src/base/metrics.ts'
import { runControl } from '../../../src/compose/jobs.ts'
import { findAlarms } from '../../../src/operations/alerts/find-alarms.ts'
import { createProcessNotices } from '../../../src/operations/alerts/notice-in-process.ts'
import { createClient } from '../../../src/operations/clients/create-client.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { PUSH } from '../../../src/signals/stream.ts'
import { newId } from '../../store/fixtures.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { attestAll, openSubject, type Subject } from '../jobs/swept-fleet.ts'
import { bodyOf, policyWith } from '../release/documents.ts'

/*
 * No witness but the real service and its database: alarms are our own. What is held here is that each of them comes
 * by what really happens, and goes when that is over.
 */

let fleet: Subject
const clock = () => fleet.service.clock
const later = (seconds: number) => new Date(clock().now().getTime() + seconds * 1000)

beforeAll(async () => {
  fleet = await openSubject(openTestDatabase)
})
afterAll(() => fleet.close())

async function found(): Promise<readonly Alarm[]> {
  const { store } = fleet
  return findAlarms({ ...fleet.service.services, store })
}
const named = async (name: Alarm['name']) => (await found()).filter((one) => one.name === name)

test('a hold stands while it does, and an outage under its own name', async () => {
  await fleet.hold({ kind: 'clause', clause: 'secure_boot_on' }, 600)
  await fleet.hold({ kind: 'stale', issuer: 'https://contoso.weu.attest.azure.net' }, 600)
  expect(await named('hold_active')).toMatchObject([{ detail: { cause: 'clause secure_boot_on' } }])
  expect(await named('verifier_outage')).toMatchObject([
    { subject: 'https://contoso.weu.attest.azure.net', detail: { relieved: true } },
  ])
  clock().advance(600)
  expect([...(await named('hold_active')), ...(await named('verifier_outage'))]).toEqual([])
})

test('an outage is told where nothing may be held, by what all processes found', async () => {
  const { store } = fleet
  const issuer = 'https://fabrikam.weu.attest.azure.net'
  for (const seconds of [0, 40, 80]) {
    const at = later(seconds)
    const seen = { issuer, sign: 'answers', reporter: 'one', failure: 'timeout' } as const
    await store.observeVerifier({ ...seen, at, expiresAt: later(1000) })
  }
  clock().advance(80)
  expect(await named('verifier_outage')).toMatchObject([
    { subject: issuer, detail: { relieved: false } },
  ])
  clock().advance(1000)
  expect(await named('verifier_outage')).toEqual([])
})

test('a rollout that halted is told until another of its kind begins', async () => {
  const { store } = fleet
  const candidate = policyWith('attestation.enclaveSvn >= 1')
  const rollout = await fleet.start(candidate)
  await store.stepRollout({
    ...{ rolloutId: rollout.rolloutId, revision: rollout.revision, state: 'halted' },
    ...{ pass: rollout.pass, stage: rollout.stage, health: null, action: 'halted' },
    ...{ note: 'denies too many', by: 'service', now: clock().now() },
  })
  expect(await named('rollout_halted')).toMatchObject([
    { subject: rollout.rolloutId, detail: { kind: 'policy', note: 'denies too many' } },
  ])
  clock().advance(8 * 86_400)
  expect(await named('rollout_halted')).toEqual([])
})

test('a receiver that nothing arrives at is told after ten minutes, and when its stream is paused', async () => {
  const { store } = fleet
  const streamId = newId('str_')
  await store.createStream({
    ...{ streamId, clientId: newId('cli_'), audience: 'https://receiver.example' },
    delivery: { method: PUSH, url: 'https://receiver.example/', sealedAuthorization: null },
    ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
    ...{ subjectForm: 'device', most: 5, by: 'test', now: clock().now() },
  })
  const failing = { failure: '503', retryAt: later(60) }
  await store.noteStreamHealth({ streamId, failing, now: clock().now() })
  expect(await named('stream_failing')).toEqual([])
  clock().advance(600)
  expect(await named('stream_failing')).toMatchObject([
    { subject: streamId, detail: { failure: '503', to: 'https://receiver.example' } },
  ])
  const paused = { streamId, clientId: null, status: 'paused', by: 'service' } as const
  const now = clock().now()
  await store.setStreamStatus({ ...paused, reason: 'maintenance', now })
  expect(await named('stream_paused')).toEqual([])
  await store.setStreamStatus({
    ...paused,
    reason: `nothing arrived since ${now.toISOString()}`,
    now,
  })
  expect(await named('stream_paused')).toMatchObject([{ subject: streamId }])
})

test('what the last sweep found, and that there was none for long', async () => {
  await fleet.activate(policyWith('attestation.enclaveSvn >= 1000'))
  await attestAll(fleet, 6)
  await fleet.sweep()
  expect(await named('clause_fails_many')).toMatchObject([
    { subject: 'added', detail: { failing: 6, devices: 6 } },
  ])
  expect(await named('sweep_stands')).toEqual([])
  clock().advance(6 * 3600)
  expect(await named('sweep_stands')).toHaveLength(1)
  await fleet.activate(bodyOf('policy', BASELINE_POLICY))
})

test('what ends soon is told by the rounds of the service, anew at each of its levels, and once', async () => {
  const { store, service } = fleet
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length))
  const about = { name: 'pipeline', scopes: ['access.evaluate'] as const, by: 'test' }
  const secretExpiresAt = later(40 * 86_400)
  const now = clock().now()
  const { clientId } = await createClient({ store, random }, { ...about, secretExpiresAt, now })
  const levels = async () => {
    for (let round = 0; round < 2; round++) await runControl(service.services)
    const rows = await service.query(`select detail ->> 'level' as level, action from audit
      where detail ->> 'subject' like '%${clientId}%' order by at`)
    return rows.map(({ action, level }) => `${action} ${level}`)
  }
  expect(await levels()).toEqual([])
  const told: string[] = []
  for (const [days, level] of [
    ...([
      [11, '30d'],
      [23, '7d'],
      [5, '1d'],
      [1, 'ended'],
    ] as const),
  ]) {
    clock().advance(days * 86_400)
    told.push(`alarm.raised ${level}`)
    expect(await levels()).toEqual(told)
  }
  const standing = (await service.request('/metrics')).text()
  expect(await standing).toContain(
    'countersign_alarms_standing{alarm="expires_soon",severity="warning"} 1',
  )
  await store.disableClient({ clientId, by: 'test', now: clock().now() })
  expect(await levels()).toEqual([...told, 'alarm.cleared ended'])
  expect(service.logs.filter((line) => line.includes('"alarm_raised"')).length).toBeGreaterThan(3)
})

describe('what one process noticed', () => {
  const now = new Date('2026-03-01T12:00:00Z')
  const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)

  test('is told of what was counted since the last time, and stands for a quarter of an hour', async () => {
    const metrics = createMetrics()
    const notice = createProcessNotices(metrics)
    expect(await notice(now)).toEqual([])
    metrics.breakGlass.inc({ outcome: 'granted' })
    metrics.breakGlass.inc({ outcome: 'break_glass_expired' })
    metrics.storeFaults.inc({ kind: 'away' }, 3)
    expect(await notice(at(15))).toEqual([
      { name: 'break_glass_used', subject: '', level: '', detail: { times: 1 }, until: at(915) },
      { name: 'database_away', subject: '', level: '', detail: { requests: 3 }, until: at(915) },
    ])
    expect(await notice(at(30))).toEqual([])
  })

  test.each([
    [
      'clients_guessed',
      29,
      30,
      (metrics: Counted) => metrics.clientRefusals.inc({ reason: 'client_secret_wrong' }),
    ],
    ['service_faults', 6, 7, (metrics: Counted) => metrics.faults.inc({ surface: 'api' })],
    [
      'attestations_refused',
      19,
      20,
      (metrics: Counted) => metrics.refusals.inc({ stage: 'evidence', reason: 'x' }),
    ],
    ['request_keys_shared', 0, 1, (metrics: Counted) => metrics.sharedKeys.inc()],
    ['decision_lines_left_out', 0, 1, (metrics: Counted) => metrics.decisionLinesLeftOut.inc()],
    [
      'partitions_missing',
      0,
      1,
      (metrics: Counted) => metrics.partitionsMissing.labels('audit').inc(),
    ],
  ] as const)('%s begins after %d, at %d', async (name, few, many, count) => {
    for (const [times, wanted] of [
      [few, []],
      [many, [name]],
    ] as const) {
      const metrics = createMetrics()
      const notice = createProcessNotices(metrics)
      for (let time = 0; time < times; time++) count(metrics)
      expect((await notice(now)).map((one) => one.name)).toEqual(wanted)
    }
  })

  test('of refused attestations is a share: half of them', async () => {
    const metrics = createMetrics()
    const notice = createProcessNotices(metrics)
    metrics.refusals.inc({ stage: 'evidence', reason: 'x' }, 19)
    metrics.attestations.inc({ verdict: 'trusted' }, 20)
    expect(await notice(now)).toEqual([])
  })
})

type Counted = ReturnType<typeof createMetrics>
