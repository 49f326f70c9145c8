import { afterAll, describe, expect, test } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { driveRollout } from '../../../src/operations/release/drive-rollout.ts'
import { release } from '../../../src/operations/release/release.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import { checkStage } from '../../../src/operations/release/stage-health.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { nextStep, type Rollout, type RolloutPlan } from '../../../src/rollout/rollout.ts'
import { TEXTS } from '../../policy/healthy-device.ts'
import { newId } from '../../store/fixtures.ts'
import { expectOk } from '../../support/refusal.ts'
import { bodyOf, type Document, lintedOf, policyWith } from './documents.ts'
import { openSmallFleet, PLAN } from './small-fleet.ts'

const fleet = await openSmallFleet()
const { store, service } = fleet
afterAll(() => fleet.close())
const now = () => service.clock.now()

async function endOpen(): Promise<void> {
  for (const { rolloutId, revision, pass, stage } of (await store.control()).rollouts) {
    await store.stepRollout({
      ...{ rolloutId, revision, pass, stage, action: 'reverted', state: 'reverted' },
      ...{ note: '', health: null, by: 'test', now: now() },
    })
  }
}

/** A rollout to some new label, the only open one. */
async function begin(
  document: Parameters<typeof fleet.start>[0],
  label: string,
  changes: Partial<Rollout> & { readonly plan?: RolloutPlan } = {},
) {
  await endOpen()
  const plan = { ...PLAN, stages: [{ percent: 0, labels: [label] }] }
  return fleet.start(document, { plan, ...changes })
}

async function check(rollout: Rollout) {
  const rulesInForce = await service.services.rules.at(await store.inForce())
  const { health } = await checkStage(store, {
    rollout,
    rulesInForce,
    after: '',
    counts: () => true,
    now: now(),
  })
  return health
}

const stricter = () => policyWith('attestation.enclavePlatformSvn > 2')

test('the devices of a stage are replayed under both documents', async () => {
  const label = newId('label-')
  await fleet.makeDevices(3, { labels: [label] })
  const fine = { labels: [label], claims: { enclavePlatformSvn: 3 } }
  await fleet.makeDevices(2, fine)
  await fleet.makeDevices(4, { ring: 50 })
  const rollout = await begin(stricter(), label)
  expect(await check(rollout)).toEqual({
    at: now().toISOString(),
    compared: 5,
    devices: 5,
    newlyDenied: 3,
    causes: [{ cause: 'added', devices: 3 }],
    examples: expect.any(Array),
  })
})

test('what the clock will bring about within a day is found', async () => {
  const label = newId('label-')
  await fleet.makeDevices(2, { labels: [label] })
  const inHours = (hours: number) => new Date(now().getTime() + hours * 3_600_000).toISOString()
  const until = (hours: number) => policyWith(`now < timestamp("${inHours(hours)}")`)
  expect(await check(await begin(until(23), label))).toMatchObject({ newlyDenied: 2 })
  expect(await check(await begin(until(25), label))).toMatchObject({ newlyDenied: 0 })
})

test('what halts a rollout by a date names the date', async () => {
  const label = newId('label-')
  await fleet.makeDevices(4, { labels: [label] })
  // Neither a whole minute nor any fraction of the day that is looked ahead.
  const date = new Date(Math.floor(now().getTime() / 1000) * 1000 + 37_243_000).toISOString()
  const rollout = await begin(policyWith(`now < timestamp("${date}")`), label)
  const health = await check(rollout)
  expect(health).toMatchObject({ newlyDenied: 4, from: date })
  await driveRollout(store, rollout, { health, now: now() })
  const { state, note } = await fleet.rollout(rollout.rolloutId)
  expect({ state, note }).toEqual({
    state: 'halted',
    note: `halted in audit stage 1 of 1: 4 of 4 devices would be denied from ${date} on, more than the budget of 3 devices or 100 %: added (4)`,
  })
})

test('what is within the budget, or denies already, names none', async () => {
  const label = newId('label-')
  await fleet.makeDevices(3, { labels: [label] })
  const soon = new Date(now().getTime() + 3_600_000).toISOString()
  const rollout = await begin(policyWith(`now < timestamp("${soon}")`), label)
  expect(await check(rollout)).not.toHaveProperty('from')
  await fleet.makeDevices(1, { labels: [label] })
  const past = await begin(policyWith(`now < timestamp("2026-01-01T00:00:00Z")`), label)
  const health = await check(past)
  expect(health).toMatchObject({ newlyDenied: 4 })
  expect(health).not.toHaveProperty('from')
})

describe('what was accepted for later', () => {
  const DAY_MS = 86_400_000
  const label = newId('label-')
  const [LATER, NOW] = [14, 11]
  const { clock, random } = service.services
  const { releases } = commandReleases({ store, clock, random, requiresHardware: false })

  /** Lets a rollout begin as an administrator does who has read the preview. */
  async function releaseRead(document: Document): Promise<Rollout> {
    await endOpen()
    const stages = [{ percent: 0, labels: [label] }]
    const way = { kind: 'rollout', plan: { stages } } as const
    const names = { by: 'test', reason: 'x', maxAgeMs: 60_000, second: NO_SECOND }
    const request = { ...names, document: lintedOf(document, now()), way }
    const refused = await release(releases, { ...request, acceptedDenials: 0 })
    if (refused.ok || refused.failure.reason !== 'denials_not_accepted') {
      throw new Error('it denies nobody')
    }
    const acceptedDenials = refused.failure.newlyDenied
    const { rollout } = expectOk(await release(releases, { ...request, acceptedDenials }))
    if (rollout === undefined) throw new Error('it was released at once')
    return rollout
  }

  test('lets no device be denied before, and does from then on', async () => {
    const ids = await fleet.makeDevices(LATER, { labels: [label] })
    const date = new Date(now().getTime() + 2 * DAY_MS).toISOString()
    const clauses = [
      { id: 'later', require: 'attestation.enclavePlatformSvn > 2', enforce_from: date },
      { id: 'now', require: 'attestation.flightSigningNotEnabled' },
    ].map((clause) => ({ severity: 'enforce', texts: TEXTS, ...clause }))
    const all = [...BASELINE_POLICY.clauses, ...clauses]
    const rollout = await releaseRead(bodyOf('policy', { ...BASELINE_POLICY, clauses: all }))
    const { budget } = rollout.plan
    expect(budget).toMatchObject({ devices: 10, later: [{ at: date }] })
    expect(budget.later?.[0]?.devices).toBeGreaterThanOrEqual(LATER)
    // A few more than the budget of now come to fail the clause that denies at once.
    const failing = ids.slice(0, NOW).map((id) => `'${id}'`)
    await service.query(`update device set claims = claims || '{"flightSigningNotEnabled": false}'
      where device_id in (${failing})`)
    const health = await check(rollout)
    expect(health).toMatchObject({ newlyDenied: NOW })
    const HALT = { kind: 'halt', why: 'budget_exceeded' }
    expect(nextStep(rollout, { health, now: now() })).toEqual(HALT)
    const reached = new Date(Date.parse(date))
    expect(nextStep(rollout, { health, now: reached })).not.toEqual(HALT)
    await driveRollout(store, rollout, { health, now: now() })
    expect((await fleet.rollout(rollout.rolloutId)).note).toContain('the budget of 10 devices')
  })
})

test('evidence that only grows old is no loss', async () => {
  const label = newId('label-')
  await fleet.makeDevices(2, { labels: [label] })
  const age = policyWith('now < attestation.attested_at + duration("20m")')
  expect(await check(await begin(age, label))).toMatchObject({ compared: 2, newlyDenied: 0 })
})

test('what was seen of real questions counts where it is worse', async () => {
  const label = newId('label-')
  await fleet.makeDevices(2, { labels: [label] })
  const rollout = await begin(policyWith('context.network == "corporate"'), label)
  const { rolloutId, revision } = rollout
  expect(await check(rollout)).toMatchObject({ newlyDenied: 0, causes: [] })
  for (const [reporter, newlyDenied] of [
    ['one', 2],
    ['two', 3],
  ] as const) {
    const names = { rolloutId, revision, reporter, at: now() }
    const examples = [`dev_${reporter}`]
    const seen = { decisions: 9, newlyDenied, examples, causes: { added: newlyDenied } }
    expect(await store.observeRollout({ ...names, ...seen })).toBe('applied')
  }
  expect(await check(rollout)).toMatchObject({
    newlyDenied: 5,
    causes: [{ cause: 'added', devices: 5 }],
    examples: ['dev_one', 'dev_two'],
  })
})

test('a few devices that cannot be compared do not keep a small stage for ever', async () => {
  const label = newId('label-')
  const [first = ''] = await fleet.makeDevices(3, { labels: [label] })
  const rollout = await begin(policyWith('attestation.enclavePlatformSvn > 0'), label)
  const later = new Date(rollout.since.getTime() + PLAN.bakeSeconds * 1000)
  await store.quarantineDevice({ deviceId: first, by: 'test', reason: 'lost', now: now() })
  const health = await check(rollout)
  expect(health).toMatchObject({ compared: 2, devices: 2 })
  expect(nextStep(rollout, { health, now: later }).kind).toBe('enter')
  const [stale = ''] = await fleet.makeDevices(1, { labels: [label] })
  const minute = new Date(now().getTime() - 60_000).toISOString()
  await service.query(`update device set valid_until = '${minute}' where device_id = '${stale}'`)
  const withStale = await check(rollout)
  expect(withStale).toMatchObject({ compared: 2, devices: 3 })
  expect(nextStep(rollout, { health: withStale, now: later }).kind).toBe('enter')
})

test('a stage that nobody is in is healthy', async () => {
  const rollout = await begin(stricter(), newId('nobody-'))
  expect(await check(rollout)).toMatchObject({ compared: 0, devices: 0, newlyDenied: 0 })
})
