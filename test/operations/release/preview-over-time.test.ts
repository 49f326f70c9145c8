import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { decide } from '../../../src/access/decide.ts'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import type { AttestationClaims } from '../../../src/appraisal/claims.ts'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { recordAttestation } from '../../../src/operations/attest/record-attestation.ts'
import type { VerifiedSubmission } from '../../../src/operations/attest/verify-submission.ts'
import { checkDocument } from '../../../src/operations/release/check-document.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import type { RulesInForce } from '../../../src/operations/release/rules-in-force.ts'
import { isBlocking } from '../../../src/policy/language/evaluate.ts'
import type { PreviewSummary } from '../../../src/replay/preview/summary.ts'
import type { DocumentKind } from '../../../src/rollout/in-force.ts'
import { DEFAULT_PLAN } from '../../../src/rollout/rollout.ts'
import type { Json } from '../../../src/store/json.ts'
import type { RolloutStepToTake } from '../../../src/store/rules/rollouts.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { agent, HEALTHY, TEXTS } from '../../policy/healthy-device.ts'
import { besideOf, enforce } from '../../support/recorded-fleet.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 })

/*
 * What a preview says is held against what decisions then do: a policy comes into force in one of two
 * worlds, devices go on attesting in both through the real store, and in each hour of weeks every
 * device is decided about. All that happens, and all that documents name, falls on whole hours, so that
 * no change is between two decisions. Both sides are ours: the witness of the notes that graces go by
 * is PostgreSQL's own function in the database; for what a verdict should be there is none but the
 * tables of `test/access`.
 */
const HOUR_MS = 3_600_000
const BASE = Date.parse('2026-03-02T00:00:00Z')
const NOW = 72
const HORIZON = 460
/** `PREVIEW_RUNS=100` for a longer look: of each of the two changes. */
const RUNS = Number(process.env.PREVIEW_RUNS ?? 15)
const hours = (count: number) => new Date(BASE + count * HOUR_MS)
const iso = (count: number) => hours(count).toISOString()

type World = { readonly database: TestDatabase; readonly service: TestService }
/** What is in force stays in one, and gives way to the candidate in the other. */
let stays: World
let moves: World

beforeAll(async () => {
  const open = async (): Promise<World> => {
    const database = await openTestDatabase()
    const env = { ATTESTATION_VALIDITY_SECONDS: '2592000' }
    const service = await createTestService({ database, clock: testClock(hours(0)), env })
    return { database, service }
  }
  ;[stays, moves] = [await open(), await open()]
})
afterAll(async () => {
  await Promise.all([stays?.database.close(), moves?.database.close()])
})

const hour = fc.integer({ min: 0, max: NOW + 200 })
const when = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: hour.map((at) => `now >= timestamp("${iso(at)}")`) },
  { weight: 1, arbitrary: hour.map((at) => `now < timestamp("${iso(at)}")`) },
  { weight: 1, arbitrary: fc.constant('"field" in device.labels') },
  { weight: 2, arbitrary: fc.constant('now.getHours() >= 8 && now.getHours() < 18') },
)
const requirement = fc.oneof(
  { weight: 3, arbitrary: fc.constant('attestation.secureBootEnabled') },
  { weight: 3, arbitrary: fc.constant('attestation.bitlockerEnabled') },
  { weight: 1, arbitrary: fc.constant('attestation.enclave.svn_current') },
  { weight: 1, arbitrary: fc.constant('device.ring < 50 || attestation.vbsEnabled') },
  {
    weight: 1,
    arbitrary: hour.map((at) => `now < timestamp("${iso(at)}") || attestation.vbsEnabled`),
  },
)
const clause = fc.record({
  when,
  require: requirement,
  severity: fc.constantFrom('enforce', 'enforce', 'enforce', 'report'),
  enforce_from: fc.option(hour.map(iso), { nil: undefined, freq: 2 }),
  grace_seconds: fc.constantFrom(undefined, 2, 24, 72, 200),
})
type Clause = typeof clause extends fc.Arbitrary<infer T> ? T : never

/** Ids go by the place, so that clauses of two policies are the same, or others, by chance. */
function policyOf(clauses: readonly Clause[], name: string) {
  const all = clauses.map(({ grace_seconds: grace, ...one }, index) => ({
    id: `clause_${index}`,
    ...one,
    grace_seconds: grace === undefined ? undefined : grace * 3600,
    texts: TEXTS,
  }))
  return JSON.parse(JSON.stringify({ name, clauses: all }))
}

const claims: fc.Arbitrary<AttestationClaims> = fc
  .record({
    secureBootEnabled: fc.constantFrom(true, true, false, undefined),
    bitlockerEnabled: fc.constantFrom(true, false, undefined),
    vbsEnabled: fc.constantFrom(true, false),
    enclaveSvn: fc.constantFrom(4, 6, 8),
  })
  .map((changes) => JSON.parse(JSON.stringify({ ...HEALTHY, ...changes })))
const device = fc.record({
  /** When it attests before the candidate comes, and what; the last of it goes on. */
  attests: fc
    .uniqueArray(fc.integer({ min: 1, max: NOW - 1 }), { minLength: 1, maxLength: 3 })
    .map((times) => times.sort((a, b) => a - b)),
  claims: fc.array(claims, { minLength: 3, maxLength: 3 }),
  isInField: fc.boolean(),
  ring: fc.constantFrom(7, 77),
  /** Hours between two attestations from then on; none for one that does not come back. */
  every: fc.constantFrom(undefined, 7, 24, 30),
})
type Device = typeof device extends fc.Arbitrary<infer T> ? T : never

const values = fc.record({
  minimum_svn: fc.constantFrom(5, 7),
  valid_until: fc.option(hour.map(iso), { nil: undefined }),
})
const scenario = fc.record({
  inForce: fc.array(clause, { minLength: 1, maxLength: 3 }),
  candidate: fc.array(clause, { minLength: 1, maxLength: 3 }),
  /** Clauses that the candidate takes over as they are. */
  kept: fc.nat(2),
  values,
  otherValues: values,
  isPolicy: fc.constantFrom(true, true, true, false),
  devices: fc.array(device, { minLength: 5, maxLength: 5 }),
  /** When a rollout began to decide for the devices in the field, where its end is what is looked at. */
  since: fc.integer({ min: 1, max: NOW - 1 }),
})

let runs = 0

/** A device as it is known in one world, and what was decided about it in each hour from `NOW` on. */
type Course = { readonly deviceId: string; readonly decisions: readonly Decided[] }
type Decided = {
  readonly allowed: boolean
  readonly reasons: readonly string[]
  /** Clauses that are in the way and do not deny: what relieves them is a grace. */
  readonly graces: readonly string[]
}

async function clear({ database }: World): Promise<void> {
  await database.query('delete from device')
  await database.query('delete from rollout')
  await database.query('delete from recent_attestation')
  await database.query('delete from active_document')
}

async function activate(world: World, kind: DocumentKind, body: object, at: number) {
  world.service.clock.set(hours(at))
  return enforce(world.service.services.store, kind, { body: body as never, now: hours(at) })
}

/** A rollout of a document to the devices in the field, which it decides for from `at` on. */
async function enforceInField(world: World, kind: DocumentKind, body: object, at: number) {
  const { store } = world.service.services
  const { compiled } = expectOk(checkDocument(kind, body))
  const names = { kind, author: 'test', reason: 'test', now: hours(at) }
  await store.proposeDocument({ ...names, hash: compiled.hash, body: body as Json })
  const from = (await store.activeDocument(kind))?.hash ?? compiled.hash
  const stages = [0, 100].map((percent) => ({ percent, labels: ['field'] }))
  const plan = { ...DEFAULT_PLAN, stages }
  const rolloutId = `rol_${runs}`
  const begun = { ...names, rolloutId, from, to: compiled.hash, plan, note: '' }
  expect(await store.startRollout({ ...begun, beside: await besideOf(store, kind) })).toBe(
    'applied',
  )
  await stepTo(world, { action: 'promoted', state: 'running', pass: 'enforce', at })
}

async function stepTo(
  { service }: World,
  { at, ...to }: Pick<RolloutStepToTake, 'action' | 'state' | 'pass'> & { readonly at: number },
): Promise<void> {
  const { store } = service.services
  const { revision = 0 } = (await store.rollout(`rol_${runs}`)) ?? {}
  const step = { rolloutId: `rol_${runs}`, revision, stage: 0, note: '', health: null, by: 'test' }
  expect(await store.stepRollout({ ...step, ...to, now: hours(at) })).toBe('applied')
}

/** Before it attests, so that it has its labels and the same ring in both worlds from the first time on. */
async function list({ database }: World, name: string, { isInField, ring }: Device): Promise<void> {
  const key = digest('sha256', toUtf8(name))
  await database.query(`
    insert into device (device_id, key_kind, device_key_hash, enrolment, labels, ring, created_at,
      updated_at)
    values ('${deviceIdOf(key)}', 'aik', '${toBase64Url(key)}', 'admitted',
      ${isInField ? `array['field']` : `'{}'`}, ${ring}, '${iso(0)}', '${iso(0)}')`)
}

async function attest(world: World, name: string, told: AttestationClaims, at: number) {
  const { services, clock } = world.service
  clock.set(hours(at))
  const identity = digest('sha256', toUtf8(name))
  const deviceId = deviceIdOf(identity)
  // As if its token, its key and its nonce had been verified.
  const submission = {
    ...{ deviceId, identity, keyKind: 'aik', deviceKey: identity, keyName: deviceId },
    token: { issuer: services.config.publicUrl, attestationPolicyHash: BUILT_IN_POLICY_HASH },
    ...{ confirmationKey: 'key', digests: {}, isVouched: true, claims: told },
    nonce: { id: `${name} ${at}`, expiresAt: hours(at + 1) },
  } as unknown as VerifiedSubmission
  return expectOk(await recordAttestation(services, submission, hours(at)))
}

const QUESTION = {
  subject: { type: 'device', id: '', properties: {} },
  action: { name: 'signin', properties: {} },
  resource: { type: 'application', id: 'payroll', properties: {} },
  context: {},
}

function decideAt(rulesInForce: RulesInForce, record: TrustRecord, at: number): Decided {
  const now = hours(at)
  const { rules: documents, reliefs } = rulesInForce.rulesFor(record, now)
  const decided = decide({ rules: documents, record, request: QUESTION, reliefs, now })
  const { decision, context } = decided.decision
  const reasons = context.reasons.map(({ clause: id, code }) => id ?? code)
  const blocking = (decided.assessment?.clauseOutcomes ?? []).filter(isBlocking)
  const graces = blocking.map(({ clause: id }) => id).filter((id) => !reasons.includes(id))
  return { allowed: decision, reasons, graces }
}

/** Lets a device live on in one world, and asks about it in every hour. */
async function follow(world: World, name: string, one: Device): Promise<Course> {
  const deviceId = deviceIdOf(digest('sha256', toUtf8(name)))
  const decisions: Decided[] = []
  const told = one.claims[one.attests.length - 1] ?? {}
  const { store, rules } = world.service.services
  const rulesInForce = await rules.at(await store.inForce())
  let record: TrustRecord | null = null
  for (let at = NOW; at <= NOW + HORIZON; at++) {
    const isDue = one.every !== undefined && at > NOW && (at - NOW) % one.every === 0
    if (isDue) await attest(world, name, told, at)
    if (isDue || record === null) {
      record = (await store.trustRecord(deviceId)).record
    }
    if (record === null) throw new Error('the device is not there')
    decisions.push(decideAt(rulesInForce, record, at))
  }
  return { deviceId, decisions }
}

async function previewed(world: World, kind: DocumentKind, body: object): Promise<PreviewSummary> {
  const { services, clock } = world.service
  clock.set(hours(NOW))
  const document = expectOk(checkDocument(kind, body))
  const { store, rules } = services
  const dependencies = { store, rules, requiresHardware: false, clock: clock.now }
  return previewDocument(dependencies, { document, by: 'test' })
}

type Loss = { readonly deviceId: string; readonly at: string; readonly reasons: readonly string[] }

/** The first hour of each device, from the first or the second on, in which `isLost`. */
function firstHours(
  courses: readonly (readonly [Course, Course])[],
  isLost: (before: Decided, after: Decided) => boolean,
): readonly (Loss & { readonly isNow: boolean })[] {
  return courses.flatMap(([before, after]) => {
    const found = after.decisions.findIndex((decided, at) => {
      const was = before.decisions[at]
      return was !== undefined && isLost(was, decided)
    })
    if (found < 0) return []
    const { deviceId, decisions } = after
    const reasons = decisions[found]?.reasons ?? []
    return [{ deviceId, at: iso(NOW + found), reasons, isNow: found === 0 }]
  })
}

function spanOf(losses: readonly Loss[]) {
  const times = losses.map(({ at }) => at).sort()
  return { devices: losses.length, first: times[0] ?? null, last: times.at(-1) ?? null }
}

function groupByDate(losses: readonly Loss[]) {
  const dates = [...new Set(losses.map(({ at }) => at))].sort()
  return dates.map((at) => ({ at, devices: losses.filter((one) => one.at === at).length }))
}

function expectFiguresNow(
  summary: PreviewSummary,
  courses: readonly (readonly [Course, Course])[],
): void {
  const first = courses.map(([before, after]) => [before.decisions[0], after.decisions[0]] as const)
  const count = (was: boolean, is: boolean) =>
    first.filter(([before, after]) => before?.allowed === was && after?.allowed === is).length
  expect(summary.compared).toBe(courses.length)
  expect(summary.newly_denied.devices + summary.newly_refused.devices).toBe(count(true, false))
  expect(summary.newly_allowed.devices).toBe(count(false, true))
  expect(summary.unchanged).toEqual({ granted: count(true, true), denied: count(false, false) })
}

/**
 * Of the end of a rollout. A grace of the document that comes back may begin only with the next attestation of
 * a device, where none was noted before the rollout: then decisions deny it later than the preview says,
 * or no more. None is denied that it does not foresee, and none earlier.
 */
function expectForeseen(
  summary: PreviewSummary,
  courses: readonly (readonly [Course, Course])[],
): void {
  expectFiguresNow(summary, courses)
  const lost = firstHours(courses, (before, after) => before.allowed && !after.allowed)
  const later = lost.filter(({ isNow }) => !isNow)
  for (const { at } of later) {
    const until = (losses: readonly { readonly at: string; readonly devices: number }[]) =>
      losses.filter((one) => one.at <= at).reduce((sum, { devices }) => sum + devices, 0)
    expect(until(summary.denied_later.by_date)).toBeGreaterThanOrEqual(until(groupByDate(later)))
  }
}

function expectFigures(
  summary: PreviewSummary,
  courses: readonly (readonly [Course, Course])[],
): void {
  expectFiguresNow(summary, courses)
  const first = courses.map(([before, after]) => [before.decisions[0], after.decisions[0]] as const)
  // What decisions later take away from whom, when and by what.
  const lost = firstHours(courses, (before, after) => before.allowed && !after.allowed)
  const later = lost.filter(({ isNow }) => !isNow)
  expect(summary.denied_later.by_date).toEqual(groupByDate(later))
  expect(summary.denied_later.devices).toBe(later.length)
  const causes = [...new Set(later.flatMap(({ reasons }) => reasons))].sort()
  const told = summary.denied_later.by_cause.map(({ share: _, ...one }) => one)
  expect(told.sort((a, b) => (a.cause < b.cause ? -1 : 1))).toEqual(
    causes.map((cause) => {
      const of = later.filter(({ reasons }) => reasons.includes(cause))
      return { cause, ...spanOf(of), examples: of.map(({ deviceId }) => deviceId).sort() }
    }),
  )
  const allowed = courses.filter(([, after]) => after.decisions[0]?.allowed)
  const denied = firstHours(allowed, (_, after) => !after.allowed)
  for (const { clause: id, ...counts } of summary.clauses) {
    const now = first.flatMap(([, after]) => (after === undefined ? [] : [after]))
    expect(counts.denied, id).toBe(now.filter(({ reasons }) => reasons.includes(id)).length)
    expect(counts.in_grace.devices, id).toBe(now.filter(({ graces }) => graces.includes(id)).length)
    const by = denied.filter(({ reasons }) => reasons.includes(id))
    expect(counts.denied_later, id).toEqual(spanOf(by))
  }
}

/** What is looked at: a document that comes, or the end of a rollout that decides for some devices. */
const CHANGES = [
  { what: 'a document that comes', isEnd: false },
  { what: 'the end of a rollout', isEnd: true },
] as const

test.each(CHANGES)(
  'what a preview says of $what is what decisions then come to, device by device',
  async ({ isEnd }) => {
    const seen = { now: 0, later: 0, graces: 0 }
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        runs += 1
        const { inForce, candidate, kept, devices, isPolicy } = given
        const valuesOf = (one: typeof given.values, name: string) =>
          JSON.parse(JSON.stringify({ name, enclaves: [agent(one)] }))
        const before = policyOf(inForce, `in force ${runs}`)
        const after = policyOf([...inForce.slice(0, kept), ...candidate], `candidate ${runs}`)
        const firstValues = valuesOf(given.values, `values ${runs}`)
        const [kind, body] = isPolicy
          ? (['policy', after] as const)
          : (['reference-values', valuesOf(given.otherValues, `other values ${runs}`)] as const)
        const nameOf = (index: number) => `device ${index} of run ${runs}`
        const attestations = devices
          .flatMap((one, index) =>
            one.attests.map((at, turn) => ({ index, at, told: one.claims[turn] })),
          )
          .sort((a, b) => a.at - b.at)
        for (const world of [stays, moves]) {
          await clear(world)
          await activate(world, 'reference-values', firstValues, 0)
          await activate(world, 'policy', before, 0)
          // What the rollout is to, decides before; and what its end brings back is in force all the time.
          if (isEnd) await activate(world, kind, body, 0)
          for (const [index, one] of devices.entries()) await list(world, nameOf(index), one)
          const begins = () =>
            enforceInField(world, kind, isPolicy ? before : firstValues, given.since)
          let hasBegun = !isEnd
          for (const { index, at, told = {} } of attestations) {
            if (!hasBegun && at >= given.since) await begins()
            hasBegun ||= at >= given.since
            await attest(world, nameOf(index), told, at)
          }
          if (!hasBegun) await begins()
        }
        const summary = await previewed(moves, kind, body)
        if (isEnd)
          await stepTo(moves, { action: 'reverted', state: 'reverted', pass: 'enforce', at: NOW })
        else await activate(moves, kind, body, NOW)
        const courses: (readonly [Course, Course])[] = []
        for (const [index, one] of devices.entries()) {
          const name = nameOf(index)
          if (isEnd && !one.isInField) continue
          courses.push([await follow(stays, name, one), await follow(moves, name, one)])
        }
        if (isEnd) expectForeseen(summary, courses)
        else expectFigures(summary, courses)
        seen.now += summary.newly_denied.devices
        seen.later += summary.denied_later.devices
        seen.graces += summary.clauses.reduce((sum, { in_grace }) => sum + in_grace.devices, 0)
      }),
      // The same ones each time, as each takes seconds; others are found with another seed.
      { numRuns: RUNS, endOnFailure: true, seed: 20_261_127 },
    )
    // It compared something.
    expect(Math.min(seen.now, seen.later, seen.graces)).toBeGreaterThan(0)
  },
)

/** What a device proves in each of its attestations, twelve hours apart: whether it meets the clause. */
const LIVES: Readonly<Record<string, (hour: number) => boolean | undefined>> = {
  'always fails': () => false,
  'always fails, and stays away': (hour) => (hour <= NOW ? false : undefined),
  'breaks after the date': (hour) => hour < NOW + 84,
  'is repaired within its grace': (hour) => hour >= NOW + 84,
  'comes and goes': (hour) => (hour / 12) % 2 === 1,
  'meets it': () => true,
}

test('"from a date with grace" denies exactly those it should, when it should', async () => {
  const date = NOW + 24
  const grace = 72
  const clauses = (change: object) => ({
    name: `drive ${JSON.stringify(change)}`,
    clauses: [{ id: 'drive', require: 'attestation.bitlockerEnabled', texts: TEXTS, ...change }],
  })
  await clear(moves)
  await activate(moves, 'reference-values', { name: 'dated', enclaves: [agent()] }, 0)
  await activate(moves, 'policy', clauses({ severity: 'report' }), 0)
  const denied: Record<string, number[]> = {}
  const rulesInForce = async () => {
    const { store, rules } = moves.service.services
    return rules.at(await store.inForce())
  }
  for (let at = 12; at <= NOW + 240; at++) {
    if (at === NOW) {
      const dated = { severity: 'enforce', enforce_from: iso(date), grace_seconds: grace * 3600 }
      await activate(moves, 'policy', clauses(dated), at)
    }
    for (const [name, meets] of Object.entries(LIVES)) {
      const isMet = at % 12 === 0 ? meets(at) : undefined
      if (isMet !== undefined) {
        await attest(moves, name, { ...HEALTHY, bitlockerEnabled: isMet }, at)
      }
      const deviceId = deviceIdOf(digest('sha256', toUtf8(name)))
      const { record } = await moves.service.services.store.trustRecord(deviceId)
      if (record === null) throw new Error('the device is not there')
      const { allowed } = decideAt(await rulesInForce(), record, at)
      if (!allowed) denied[name] = [...(denied[name] ?? []), at]
    }
  }
  const from = (first: number, isIn: (hour: number) => boolean = () => true) =>
    Array.from({ length: NOW + 241 - first }, (_, index) => first + index).filter(isIn)
  expect(denied).toEqual({
    'always fails': from(date + grace),
    'always fails, and stays away': from(date + grace),
    'breaks after the date': from(NOW + 84 + grace),
    // Its grace is used up once, however often it comes back; while it meets the clause it is allowed.
    'comes and goes': from(date + grace, (hour) => Math.floor(hour / 12) % 2 === 0),
  })
})
