import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describePreview } from '../../../src/cli/policy/describe-preview.ts'
import { commandReleases } from '../../../src/compose/release.ts'
import type { Environment } from '../../../src/config/config.ts'
import { recordQuestions } from '../../../src/operations/jobs/record-questions.ts'
import { runRetention } from '../../../src/operations/jobs/retention.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { release } from '../../../src/operations/release/release.ts'
import { NO_SECOND } from '../../../src/operations/release/second-administrator.ts'
import { countLosses, readLosses } from '../../../src/replay/preview/summary.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, readOk, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { type Document, lintErrors, lintedOf, policyWith } from './documents.ts'
import { openSmallFleet, type SmallFleet } from './small-fleet.ts'

/**
 * Questions that are really asked over HTTP, recorded by the real job and replayed by the real preview. The
 * witness of a preview's figures is what the service then answers to the same questions.
 */
const QUESTIONS = 1_204
const DEVICES = 12

let database: TestDatabase
let fleet: SmallFleet
let devices: readonly string[]
/** A process that was just started, on a record without questions. */
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  fleet = await openSmallFleet({ open: async () => database })
  devices = await fleet.makeDevices(DEVICES)
})
beforeEach(async () => {
  await database.query('delete from question')
  service = await start()
})
afterAll(() => fleet?.close())

const start = (env: Environment = {}) => {
  return createTestService({ database, clock: fleet.service.clock, env })
}

const payroll = (require = 'context.network == "corporate"') =>
  policyWith(require, { id: 'payroll_only', when: 'resource.id == "payroll"' })

function dependencies() {
  const { store, clock, random } = service.services
  return commandReleases({ store, clock, random, requiresHardware: false })
}

const preview = (document: Document) => {
  const { checked } = lintedOf(document, service.clock.now())
  if (checked === undefined) throw new TypeError('the document compiles')
  return previewDocument(dependencies().previews, { document: checked, by: 'test' })
}

const releaseOf = (document: Document, acceptedDenials: number) =>
  release(dependencies().releases, {
    document: lintedOf(document, service.clock.now()),
    way: { kind: 'at_once' },
    by: 'test',
    reason: 'test',
    acceptedDenials,
    maxAgeMs: 60_000,
    second: NO_SECOND,
  })

/** Devices ask in turn, in batches of a hundred as a gateway does. */
async function askMany(questions: number, context: object = {}): Promise<number> {
  const headers = await service.as('access.evaluate')
  let granted = 0
  for (let first = 0; first < questions; first += 100) {
    const batch = Array.from({ length: Math.min(100, questions - first) }, (_, i) => {
      return { subject: { type: 'device', id: devices[(first + i) % DEVICES] } }
    })
    const body = {
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
      context,
      evaluations: batch,
    }
    const answer = await readOk(await service.post('/access/v1/evaluations', body, { headers }))
    granted += answer.evaluations.filter(({ decision }: { decision: boolean }) => decision).length
  }
  return granted
}

async function askOne(id: string): Promise<{ readonly decision: boolean }> {
  const headers = await service.as('access.evaluate')
  const body = {
    subject: { type: 'device', id },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  }
  return readOk(await service.post('/access/v1/evaluation', body, { headers }))
}

async function goBack(): Promise<void> {
  const { body, kind, hash } = fleet.policy
  const names = { author: 'test', reason: 'back', now: service.clock.now() }
  await putInForce(fleet.store, { kind, hash, body: body as never, ...names })
}

const write = () => recordQuestions(service.services)

describe('a clause for payroll that denies everybody', () => {
  test('is caught by the preview, by the release and in words', async () => {
    expect(lintErrors(payroll(), service.clock.now())).toEqual([])
    expect(await askMany(QUESTIONS)).toBe(QUESTIONS)
    await write()
    const summary = await preview(payroll())
    expect(summary.newly_denied.devices).toBe(0)
    expect(summary.questions).toMatchObject({
      ...{ asked: QUESTIONS, replayed: QUESTIONS, days: 1 },
      newly_denied: { questions: QUESTIONS, share: 1, devices: DEVICES },
      by_topic: [
        { resource_id: 'payroll', asked: QUESTIONS, newly_denied: QUESTIONS, still_denied: 0 },
      ],
      by_clause: [{ clause: 'payroll_only', questions: QUESTIONS, devices: DEVICES }],
      untested: [{ clause: 'payroll_only', why: 'never_said', what: ['context.network'] }],
    })
    expect(countLosses(summary)).toBe(DEVICES)
    const text = describePreview(summary)
    expect(text).toContain('Of 1,204 questions about payroll in one day 1,204 would be denied.')
    expect(text).toContain('payroll_only reads context.network, which no recorded question has.')
    expect(text).toContain('12 devices would lose access')
    expectRefusal(await releaseOf(payroll(), DEVICES - 1), 'denials_not_accepted')
    expect((await fleet.store.activeDocument('policy'))?.hash).toBe(fleet.policy.hash)
  })

  test('denies, once it was accepted, exactly what the preview said', async () => {
    await askMany(QUESTIONS)
    await write()
    expectOk(await releaseOf(payroll(), DEVICES))
    expect(await askMany(QUESTIONS)).toBe(0)
    expect(await askMany(24, { network: 'corporate' })).toBe(24)
    await write()
    // What is denied already is not newly denied by the next one.
    const next = await preview(payroll('context.network == "corporate" && context.mfa == true'))
    expect(next.questions).toMatchObject({
      newly_denied: { questions: 24, devices: DEVICES },
      still_denied: 2 * QUESTIONS,
    })
    await goBack()
  })

  test('from a date on is told with the date, and denies then what the preview said', async () => {
    await askMany(QUESTIONS)
    await askMany(24, { network: 'corporate' })
    await write()
    const { clock } = service
    const from = new Date(clock.now().getTime() + 600_000).toISOString()
    const document = policyWith('context.network == "corporate"', { enforce_from: from })
    const summary = await preview(document)
    expect(summary.questions).toMatchObject({
      newly_denied: { questions: 0, devices: 0 },
      denied_later: { questions: QUESTIONS, devices: DEVICES, from },
    })
    expect(describePreview(summary)).toContain(
      `From ${from} on 1,204 questions would be denied, of 12 devices that lose nothing before.`,
    )
    expectRefusal(await releaseOf(document, DEVICES - 1), 'denials_not_accepted')
    expectOk(await releaseOf(document, DEVICES))
    expect(await askMany(QUESTIONS)).toBe(QUESTIONS)
    clock.advance(600)
    expect(await askMany(QUESTIONS)).toBe(0)
    expect(await askMany(24, { network: 'corporate' })).toBe(24)
    await goBack()
  })

  test('is named as tested on nothing where nobody ever asked', async () => {
    const summary = await preview(payroll())
    expect(summary.questions).toMatchObject({
      ...{ asked: 0, since: null },
      untested: [{ clause: 'payroll_only', why: 'no_questions' }],
    })
    const text = describePreview(summary)
    expect(text).toContain('payroll_only asks about requests, and no question is on record.')
    expect(text).toContain('as far as it could be tested')
  })
})

test('a question of a device in grace is answered as the device would be', async () => {
  await askMany(60)
  await write()
  const clause = 'attestation.enclaveSvn > 1000'
  const atOnce = await preview(policyWith(clause))
  expect(atOnce.questions?.newly_denied).toMatchObject({ questions: 60, devices: 0 })
  const inGrace = await preview(policyWith(clause, { grace_seconds: 3600 }))
  expect(inGrace.questions).toMatchObject({
    ...{ newly_denied: { questions: 0, devices: 0 }, still_allowed: 60 },
    denied_later: { questions: 0, devices: 0 },
  })
  expect(countLosses(inGrace)).toBe(DEVICES)
})

describe('the record of questions', () => {
  test('is written beside answers, never in them', async () => {
    const from = service.calls.length
    await askMany(200)
    const calls = service.calls.slice(from)
    expect(calls).not.toContain('recordQuestions')
    await write()
    expect(service.calls.slice(from)).toContain('recordQuestions')
    const rows = await database.query(`select sum(asked) as n from question`)
    expect(Number(rows[0]?.n)).toBe(200)
  })

  test('holds no token, no secret and no header of what was sent', async () => {
    const { services } = service
    const now = service.clock.now()
    const token = await services.issueDeviceToken({
      deviceId: devices[0] ?? '',
      generation: 1,
      confirmationKey: 'confirmation-key',
      issuedAt: now,
      expiresAt: new Date(now.getTime() + 600_000),
      jti: 'token of the test',
    })
    const headers = await service.as('access.evaluate')
    const body = {
      subject: {
        type: 'user',
        id: 'alice',
        properties: { device_token: token, device_id: devices[0], password: 'hunter2' },
      },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
      context: { dpop: token, note: `Bearer ${token}`, network: 'corporate', api_key: 'hunter2' },
      hunter2: 'a member that AuthZEN does not know',
    }
    const sent = { headers: { ...headers, dpop: token } }
    await readOk(await service.post('/access/v1/evaluation', body, sent))
    await write()
    const rows = await database.query('select * from question')
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      device_id: devices[0],
      request: { subject: { id: 'alice' }, context: { network: 'corporate' } },
    })
    const stored = JSON.stringify(rows)
    for (const secret of [token, 'hunter2', headers.authorization ?? '?']) {
      expect(stored).not.toContain(secret)
    }
  })

  test('has no question about a device that nobody knows', async () => {
    expect((await askOne('dev_nobody')).decision).toBe(false)
    await write()
    expect(await database.query('select * from question')).toEqual([])
  })

  test('that cannot be written is told in the log, and nothing else is lost', async () => {
    const { services, logs } = service
    await askMany(30)
    const failing = () => Promise.reject(new StoreError(new Error('the database is away')))
    await recordQuestions({ ...services, store: { recordQuestions: failing } })
    const line = logs.map((one) => JSON.parse(one)).find(({ event }) => event === 'questions_lost')
    expect(line).toMatchObject({ level: 'error', questions: 30 })
    await askMany(30)
    await write()
    const rows = await database.query(`select sum(asked) as n from question`)
    expect(Number(rows[0]?.n)).toBe(30)
  })

  test('is kept for its days, and of several days the preview knows all', async () => {
    const { services, clock } = service
    const never = new AbortController().signal
    const days = async () => {
      await runRetention(services, never)
      await runRetention(services, never)
      const [row] = await database.query(
        `select count(distinct period)::integer as n from question`,
      )
      return row?.n
    }
    await runRetention(services, never)
    await askMany(20)
    await write()
    clock.advance(86_400)
    await runRetention(services, never)
    await askMany(10)
    await write()
    expect(await days()).toBe(2)
    const { questions } = await preview(payroll())
    expect(questions).toMatchObject({ asked: 30, days: 2 })
    clock.advance(7 * 86_400)
    expect(await days()).toBe(1)
    clock.advance(86_400)
    expect(await days()).toBe(0)
  })
})

describe('with QUESTIONS_DAYS=0', () => {
  test('nothing is gathered, and what was kept before is removed', async () => {
    await askMany(20)
    await write()
    const off = await start({ QUESTIONS_DAYS: '0' })
    const headers = await off.as('access.evaluate')
    const body = {
      subject: { type: 'device', id: devices[0] },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
    }
    await readOk(await off.post('/access/v1/evaluation', body, { headers }))
    await recordQuestions(off.services)
    const count = async () => (await database.query('select * from question')).length
    expect(await count()).toBe(DEVICES)
    await runRetention(off.services, new AbortController().signal)
    expect(await count()).toBe(0)
  })
})

test('a preview that another version made, without questions, counts for no release', async () => {
  const { questions, ...without } = await preview(payroll())
  expect(readLosses({ ...without, questions })).toBe(0)
  expect(readLosses(without)).toBeUndefined()
})
