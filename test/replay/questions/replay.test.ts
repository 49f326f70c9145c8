import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Documents } from '../../../src/access/assess.ts'
import { decide } from '../../../src/access/decide.ts'
import type { EvaluationRequest } from '../../../src/access/evaluation-request.ts'
import { NO_DEVICE_ID } from '../../../src/access/kept-request.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import {
  createQuestionReplay,
  type RecordedQuestion,
} from '../../../src/replay/questions/replay.ts'
import type { TopicCount } from '../../../src/replay/questions/topics.ts'
import { BASELINE, QUARANTINE, recordOf } from '../../access/rules.ts'
import { HEALTHY, NOW, TEXTS } from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'

type ClauseChanges = {
  readonly when?: string
  readonly severity?: string
  readonly id?: string
  readonly enforce_from?: string
}

function withClause(require: string, changes: ClauseChanges = {}): Documents {
  const clause = { id: 'added', require, severity: 'enforce', texts: TEXTS, ...changes }
  const document = { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, clause] }
  return { ...BASELINE, policy: expectOk(compilePolicy(document)) }
}

const requestOf = (
  resource = 'payroll',
  context: Record<string, unknown> = {},
): EvaluationRequest => ({
  subject: { type: 'user', id: 'alice', properties: {} },
  resource: { type: 'application', id: resource, properties: {} },
  action: { name: 'signin', properties: {} },
  context,
})

const questionOf = (changes: Partial<RecordedQuestion> = {}): RecordedQuestion => {
  const { request = requestOf(), askedAt = NOW, asked = 1 } = changes
  const { topic = request.resource.id, deviceId = 'dev_a', leftOut = [] } = changes
  return { topic, deviceId, asked, askedAt, leftOut, request }
}

const topicOf = (name: string, asked: number, since = NOW): TopicCount => ({
  ...{ topic: name, asked, since },
  ...{ action: 'signin', resource_type: 'application', resource_id: name },
})

function replay(
  candidate: Documents,
  questions: readonly RecordedQuestion[],
  options: {
    readonly inForce?: Documents
    readonly topics?: readonly TopicCount[]
    readonly recordFor?: (deviceId: string) => TrustRecord | undefined
  } = {},
) {
  const { inForce = BASELINE, recordFor = (deviceId) => recordOf(HEALTHY, { deviceId }) } = options
  const asked = new Map<string, number>()
  for (const one of questions) asked.set(one.topic, (asked.get(one.topic) ?? 0) + one.asked)
  const topics = options.topics ?? [...asked].map(([name, count]) => topicOf(name, count))
  const found = createQuestionReplay({ inForce, candidate, now: NOW, topics })
  for (const one of questions) found.add(one, recordFor(one.deviceId))
  return found.summary()
}

describe('a replay of questions tells', () => {
  test('of each topic how many would be denied, newly and already, and by which clause', () => {
    const candidate = withClause('context.network == "corporate"', {
      when: 'resource.id == "payroll"',
    })
    const home = requestOf('payroll', { network: 'home' })
    const office = requestOf('payroll', { network: 'corporate' })
    const records: Record<string, TrustRecord> = {
      dev_a: recordOf(HEALTHY, { deviceId: 'dev_a' }),
      dev_b: recordOf(HEALTHY, { deviceId: 'dev_b' }),
      dev_bad: recordOf({ ...HEALTHY, secureBootEnabled: false }, { deviceId: 'dev_bad' }),
    }
    const summary = replay(
      candidate,
      [
        questionOf({ request: home, asked: 900 }),
        questionOf({ request: home, deviceId: 'dev_b', asked: 300 }),
        questionOf({ request: office, asked: 4 }),
        questionOf({ request: home, deviceId: 'dev_bad', asked: 7 }),
        questionOf({ request: requestOf('wiki'), asked: 50 }),
      ],
      { recordFor: (id) => records[id] },
    )
    expect(summary).toMatchObject({
      asked: 1261,
      replayed: 1261,
      newly_denied: { questions: 1200, devices: 2 },
      newly_allowed: 0,
      still_allowed: 54,
      still_denied: 7,
      not_replayed: 0,
      by_clause: [{ clause: 'added', questions: 1200, devices: 2, examples: ['dev_a', 'dev_b'] }],
    })
    expect(summary.by_topic).toEqual([
      {
        ...{ action: 'signin', resource_type: 'application', resource_id: 'payroll' },
        ...{ asked: 1211, replayed: 1211 },
        ...{ newly_denied: 1200, newly_allowed: 0, still_denied: 7 },
      },
      {
        ...{ action: 'signin', resource_type: 'application', resource_id: 'wiki' },
        ...{ asked: 50, replayed: 50, newly_denied: 0, newly_allowed: 0, still_denied: 0 },
      },
    ])
  })

  test('what clauses for devices deny too, but not as devices that lose a question alone', () => {
    const candidate = withClause('attestation.enclaveSvn > 1000')
    expect(replay(candidate, [questionOf({ asked: 3 })]).newly_denied).toEqual({
      questions: 3,
      share: 1,
      devices: 0,
    })
  })

  test('what would be allowed that is denied now', () => {
    const inForce = withClause('context.network == "corporate"')
    const summary = replay(BASELINE, [questionOf({ asked: 3 })], { inForce })
    expect(summary).toMatchObject({ newly_allowed: 3, newly_denied: { questions: 0 } })
  })

  test('that kept questions of a topic stand for all of it', () => {
    const candidate = withClause('context.network == "corporate"')
    const office = requestOf('payroll', { network: 'corporate' })
    const kept = [questionOf({ asked: 30 }), questionOf({ request: office, asked: 10 })]
    const all = topicOf('payroll', 1204)
    expect(replay(candidate, kept, { topics: [all] })).toMatchObject({
      asked: 1204,
      replayed: 40,
      newly_denied: { questions: 903 },
      still_allowed: 301,
    })
  })

  test('of topics of which nothing was kept, that nothing was answered', () => {
    const topics = [topicOf('payroll', 10), topicOf('wiki', 5)]
    const summary = replay(BASELINE, [questionOf()], { topics })
    expect(summary).toMatchObject({ asked: 15, still_allowed: 10, not_replayed: 5 })
  })

  test('one topic of several clients, and since when it is asked', () => {
    const day = (date: number) => new Date(Date.UTC(2026, 2, date))
    const topics = [topicOf('payroll', 3, day(2)), topicOf('payroll', 4, day(1))]
    const found = createQuestionReplay({
      ...{ inForce: BASELINE, candidate: BASELINE, topics },
      now: new Date('2026-03-07T12:00:00Z'),
    })
    expect(found.summary()).toMatchObject({
      asked: 7,
      since: '2026-03-01T00:00:00.000Z',
      days: 7,
      by_topic: [{ asked: 7 }],
    })
  })

  test('nothing of devices that are gone', () => {
    const summary = replay(withClause('context.x == 1'), [questionOf()], {
      recordFor: () => undefined,
    })
    expect(summary).toMatchObject({ asked: 1, replayed: 0, not_replayed: 1 })
    expect(summary.untested).toEqual([{ clause: 'added', why: 'no_questions', what: [] }])
  })

  test('nothing of a question of which a clause reads what was not kept', () => {
    const kept = questionOf({ leftOut: [['context', 'access_token']] })
    const reading = withClause('has(context.access_token)')
    expect(replay(reading, [kept])).toMatchObject({ not_replayed: 1 })
    expect(replay(BASELINE, [kept], { inForce: reading })).toMatchObject({ not_replayed: 1 })
    expect(replay(withClause('has(context.access)'), [kept])).toMatchObject({ replayed: 1 })
    const inside = questionOf({ leftOut: [['context', 'deep', 'token']] })
    expect(replay(withClause('has(context.deep)'), [inside])).toMatchObject({ not_replayed: 1 })
  })
})

describe('what comes later', () => {
  const DAY_MS = 86_400_000
  const inDays = (days: number) => new Date(NOW.getTime() + days * DAY_MS)
  const home = questionOf({ request: requestOf('payroll', { network: 'home' }), asked: 5 })
  const office = questionOf({
    ...{ request: requestOf('payroll', { network: 'corporate' }), asked: 7, deviceId: 'dev_b' },
  })

  test('by a clause that is enforced from a date is told with the date', () => {
    const from = inDays(30).toISOString()
    const candidate = withClause('context.network == "corporate"', { enforce_from: from })
    const summary = replay(candidate, [home, office])
    expect(summary).toMatchObject({
      newly_denied: { questions: 0, devices: 0 },
      denied_later: { questions: 5, devices: 1, from },
      still_allowed: 12,
      weekly: false,
    })
    // It is told of whoever is denied already, too, and counted once.
    const both = withClause('context.network == "corporate"')
    expect(replay(both, [home, office]).denied_later).toEqual({
      questions: 0,
      devices: 0,
      from: null,
    })
  })

  test('by a moment that a clause names, and not by what is in force all the same', () => {
    const clause = `now < timestamp("${inDays(3).toISOString()}") || context.network == "corporate"`
    const { denied_later } = replay(withClause(clause), [home, office])
    expect(denied_later).toEqual({ questions: 5, devices: 1, from: inDays(3).toISOString() })
    const same = replay(withClause(clause), [home], { inForce: withClause(clause) })
    expect(same.denied_later.from).toBeNull()
  })

  test('of a clause that goes by the hour is asked of each question at its own time', () => {
    const candidate = withClause('now.getHours() >= 6 && now.getHours() < 20', {
      when: 'resource.id == "payroll"',
    })
    const askedAt = (hour: number) => new Date(Date.UTC(2026, 0, 5, hour, 30))
    const morning = questionOf({ askedAt: askedAt(9), asked: 3 })
    const night = questionOf({ askedAt: askedAt(23), asked: 2, deviceId: 'dev_b' })
    for (const hours of [0, 6, 12, 18]) {
      const found = createQuestionReplay({
        ...{ inForce: BASELINE, candidate, topics: [topicOf('payroll', 5)] },
        now: new Date(NOW.getTime() + hours * 3_600_000),
      })
      for (const one of [morning, night]) {
        found.add(one, recordOf(HEALTHY, { deviceId: one.deviceId }))
      }
      const { newly_denied, denied_later, weekly } = found.summary()
      expect({ newly_denied, denied_later, weekly }).toEqual({
        newly_denied: { questions: 2, share: 0.4, devices: 1 },
        denied_later: { questions: 0, devices: 0, from: null },
        weekly: true,
      })
    }
  })

  test('by the clause about a device is for the replay of the fleet to tell', () => {
    const from = inDays(30).toISOString()
    const candidate = withClause('attestation.enclaveSvn > 1000', { enforce_from: from })
    expect(replay(candidate, [home]).denied_later).toEqual({ questions: 0, devices: 0, from: null })
  })
})

describe('what no question tests is named', () => {
  const questions = [
    questionOf({ request: requestOf('payroll', { network: 'corporate' }) }),
    questionOf({ request: requestOf('wiki', { risk: 0.1 }) }),
  ]
  const untested = (require: string, changes: ClauseChanges = {}) =>
    replay(withClause(require, changes), questions).untested

  test.each([
    [
      'a name that nobody says',
      'context.netwrok == "corporate"',
      {},
      'never_said',
      ['context.netwrok'],
    ],
    ['also where it is asked for', '!has(context.netwrok)', {}, 'never_said', ['context.netwrok']],
    [
      ...['a name that is said of other resources', 'context.risk < 0.5'],
      ...[{ when: 'resource.id == "payroll"' }, 'never_said', ['context.risk']],
    ],
    [
      ...['an application that there is not', 'context.network == "corporate"'],
      ...[{ when: 'resource.id == "payrol"' }, 'never_applies', []],
    ],
    [
      ...[
        'the same in one expression',
        '!(resource.id == "payrol") || context.network == "corporate"',
      ],
      ...[{}, 'never_met', ['resource.id == "payrol"']],
    ],
    [
      'an exception for nobody',
      'subject.id != "mallory"',
      {},
      'never_met',
      ['subject.id != "mallory"'],
    ],
  ] as const)('%s', (_, require, changes, why, what) => {
    expect(untested(require, changes)).toContainEqual({ clause: 'added', why, what })
  })

  test.each([
    ['resource.id == "payroll" || resource.id == "wiki"', {}],
    ['context.network == "corporate"', { when: 'resource.id == "payroll"' }],
    ['has(context.network) || has(context.risk)', {}],
    ['attestation.enclaveSvn > 3', {}],
  ])('and nothing of %s', (require, changes) => {
    expect(untested(require, changes)).toEqual([])
  })

  test('of all clauses about requests, where nothing was asked', () => {
    const candidate = withClause('context.network == "corporate"')
    expect(replay(candidate, [])).toMatchObject({
      ...{ since: null, days: 0, asked: 0 },
      untested: [{ clause: 'added', why: 'no_questions', what: [] }],
    })
    expect(replay(BASELINE, []).untested).toEqual([])
  })
})

describe('whatever is asked of whatever devices', () => {
  const documents = [
    BASELINE,
    withClause('context.network == "corporate"'),
    withClause('context.network == "corporate"', { when: 'resource.id == "payroll"' }),
    withClause('context.network == "corporate"', { severity: 'report' }),
    withClause('attestation.enclaveSvn > 1000'),
    withClause('attestation.enclaveSvn > 1000', { when: 'resource.id == "payroll"' }),
    withClause('resource.id != "wiki" || "a" in device.labels'),
  ]
  const records = [
    recordOf(HEALTHY),
    recordOf(HEALTHY, { labels: ['a'] }),
    recordOf({ ...HEALTHY, secureBootEnabled: false }),
    recordOf(HEALTHY, { quarantine: QUARANTINE }),
    { ...recordOf(HEALTHY), attestation: null },
  ]
  const contexts = [{}, { network: 'corporate' }, { network: 'home' }, { network: null }]
  const arbitrary = fc.array(
    fc.record({
      record: fc.constantFrom(...records.keys()),
      resource: fc.constantFrom('payroll', 'wiki'),
      context: fc.constantFrom(...contexts),
      asked: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 12 },
  )

  /** The witness of the figures is `decide`, which answers what is really asked. */
  const NOTHING = {
    reliefs: {
      policySince: new Date(0),
      holds: [],
      allowedUntil: null,
      outageGraceMs: 0,
    },
    now: NOW,
  }

  test('the figures are those of the decisions', () => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.constantFrom(...documents),
        fc.constantFrom(...documents),
        (asked, inForce, candidate) => {
          const questions = asked.map(({ record, resource, context, asked: times }) => {
            const request = requestOf(resource, context)
            return questionOf({ request, deviceId: String(record), asked: times })
          })
          const recordFor = (id: string) => records[Number(id)]
          const summary = replay(candidate, questions, { inForce, recordFor })
          const counts = { denied: 0, allowed: 0, stillAllowed: 0, stillDenied: 0 }
          for (const { request, deviceId, asked: times } of questions) {
            const record = recordFor(deviceId) ?? null
            const decided = [inForce, candidate].map(
              (rules) => decide({ rules, record, request, ...NOTHING }).decision.decision,
            )
            const [was, is] = decided
            if (was && !is) counts.denied += times
            else if (!was && is) counts.allowed += times
            else if (is) counts.stillAllowed += times
            else counts.stillDenied += times
          }
          expect(summary).toMatchObject({
            newly_denied: { questions: counts.denied },
            newly_allowed: counts.allowed,
            still_allowed: counts.stillAllowed,
            still_denied: counts.stillDenied,
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('every question is in exactly one class, also where few stand for many', () => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.constantFrom(...documents),
        fc.integer({ min: 0, max: 50 }),
        (asked, candidate, more) => {
          const questions = asked.map(({ record, resource, context, asked: times }) => {
            const request = requestOf(resource, context)
            return questionOf({ request, deviceId: String(record), asked: times })
          })
          const kept = questions.reduce((sum, one) => sum + one.asked, 0)
          const topics = ['payroll', 'wiki'].map((name) => topicOf(name, kept + more))
          const summary = replay(candidate, questions, {
            topics,
            recordFor: (id) => records[Number(id)],
          })
          const { newly_denied, newly_allowed, still_allowed, still_denied, not_replayed } = summary
          expect(
            newly_denied.questions + newly_allowed + still_allowed + still_denied + not_replayed,
          ).toBe(summary.asked)
          expect(
            Math.min(newly_denied.questions, newly_allowed, still_allowed),
          ).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})

const RELIEFS = { policySince: new Date(0), holds: [], allowedUntil: null, outageGraceMs: 0 }

describe('questions that name no device', () => {
  const rulesOf = (device: string, require: string): Documents => {
    const clause = { id: 'asked', require, severity: 'enforce', texts: TEXTS }
    const policy = expectOk(compilePolicy({ name: 'Test', device, clauses: [clause] }))
    return { ...BASELINE, policy }
  }
  const ALWAYS = rulesOf('always', 'true')
  const OPEN = rulesOf('resource.id == "guarded"', 'subject.id == "alice"')
  const none = (changes: Partial<RecordedQuestion> = {}) =>
    questionOf({ deviceId: NO_DEVICE_ID, ...changes })

  /** The witness is what a decision comes to. */
  const decided = (rules: Documents, { request }: RecordedQuestion) =>
    decide({
      rules,
      record: null,
      unnamed: 'device_not_named',
      request,
      reliefs: RELIEFS,
      now: NOW,
    }).decision.decision

  function replayNone(candidate: Documents, inForce: Documents, ...questions: RecordedQuestion[]) {
    const replayed = createQuestionReplay({
      ...{ inForce, candidate, now: NOW },
      topics: [
        topicOf(
          'payroll',
          questions.reduce((sum, { asked }) => sum + asked, 0),
        ),
      ],
    })
    for (const question of questions) replayed.add(question, null)
    return replayed.summary()
  }

  test('are counted, and so are those that would be granted without one', () => {
    const asked = none({ asked: 3 })
    expect([decided(ALWAYS, asked), decided(OPEN, asked)]).toEqual([false, true])
    expect(replayNone(OPEN, ALWAYS, asked)).toMatchObject({
      newly_allowed: 3,
      without_device: { questions: 3, allowed: 3, newly_denied: 0 },
      newly_denied: { devices: 0 },
    })
  })

  test('that lose their grant count as the loss of one device, which somebody has to accept', () => {
    const bob = { ...requestOf(), subject: { type: 'user', id: 'bob', properties: {} } }
    const asked = [none({ asked: 2 }), none({ request: bob, asked: 1 })]
    expect(replayNone(ALWAYS, OPEN, ...asked)).toMatchObject({
      newly_denied: { questions: 2, devices: 1 },
      still_denied: 1,
      without_device: { questions: 3, allowed: 0, newly_denied: 2 },
      by_clause: [{ clause: 'device_not_named', questions: 2, devices: 0, examples: [] }],
    })
  })
})
