import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { verifyReceipt } from '../../../src/access/receipt/verify.ts'
import type { Store } from '../../../src/store/store.ts'
import {
  AUDIENCE,
  CLAIMS,
  createHolder,
  type Holder,
  keySetOf,
  OTHER_DEVICE,
  tokenOf,
} from '../../access/break-glass/break-glass-fixture.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  readOk,
  START,
  startDevice,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const EVALUATION = '/access/v1/evaluation'
const EVALUATIONS = '/access/v1/evaluations'
const RESOURCE = { type: 'application', id: 'payroll' }
const ACTION = { name: 'signin' }

const database = await openTestDatabase()
const clock = testClock()
let isStoreBroken = false
let alice: Holder
let bob: Holder
let mallory: Holder
let service: TestService
/** The same without keys. */
let closed: TestService
let device: { readonly id: string; readonly token: string }

beforeAll(async () => {
  const names = ['alice', 'bob', 'mallory']
  const holders = await Promise.all(names.map(createHolder))
  ;[alice, bob, mallory] = holders as [Holder, Holder, Holder]
  const env = { PUBLIC_URL: AUDIENCE, BREAK_GLASS_KEYS: keySetOf(alice, bob) }
  service = await createTestService({ database, clock, env, wrap: breakable })
  closed = await createTestService({ database, clock, env: { PUBLIC_URL: AUDIENCE } })
  await rememberHealthy(service, await startDevice())
  const { answer } = await attestMinted(service, { claims: { secureBootEnabled: false } })
  const { device_id: id, device_token: token } = await readOk(answer, 201)
  device = { id, token }
})
afterAll(() => database.close())
beforeEach(() => {
  clock.set(START)
  isStoreBroken = true
  service.calls.length = 0
})

/** Every method of it fails while the store is broken. */
function breakable(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (isStoreBroken) throw new Error(`the database is gone: ${String(name)}`)
        return Reflect.apply(member, target, args)
      }
    },
  })
}

const signed = (claims: Partial<typeof CLAIMS> = {}, holders = [alice, bob]) =>
  tokenOf(holders, { sub: device.id, ...claims })

const ask = (token: string, subject: object, more: object = {}) =>
  service.post(
    EVALUATION,
    { subject, resource: RESOURCE, action: ACTION, ...more },
    { headers: { 'break-glass': token } },
  )

const askAll = (token: string, body: object, headers: Readonly<Record<string, string>> = {}) =>
  service.post(
    EVALUATIONS,
    { resource: RESOURCE, action: ACTION, ...body },
    { headers: { ...headers, 'break-glass': token } },
  )

const subjectOf = (id: string) => ({ type: 'device', id })

async function expectRefused(answer: Response, reason: string): Promise<void> {
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(await answer.json()).toBe(`the Break-Glass token is refused: ${reason}`)
  expect(answer.status).toBe(403)
  noteReason(reason)
}

/** Log lines of `event` that `work` left. */
async function logged(event: string, work: () => Promise<unknown>) {
  const before = service.logs.length
  await work()
  return service.logs
    .slice(before)
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === event)
}

async function counted(outcome: string): Promise<number> {
  const { values } = await service.services.metrics.breakGlass.get()
  return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0
}

describe('a policy that demands no device', () => {
  test('opens nothing for a token of a device, and shuts nothing that it opens', async () => {
    isStoreBroken = false
    const texts = { en: { title: 'No', repair: 'None.' } }
    const clauses = [{ id: 'a', require: 'subject.id != ""', severity: 'enforce', texts }]
    const document = { name: 'Open', device: 'false', clauses }
    const before = await service.services.store.activeDocument('policy')
    const headers = await service.as('admin.write')
    const put = (body: object) =>
      service.post('/v1/policy', { reason: 'test', ...body }, { method: 'PUT', headers })
    await readOk(await put({ document }))
    // Without a device the token of one opens nothing, whatever the policy would say.
    const answer = await ask(await signed(), { type: 'user', id: 'alice' })
    await expectRefused(answer, 'break_glass_wrong_device')
    const { decision } = await readOk(await ask(await signed(), subjectOf(device.id)))
    expect(decision).toBe(true)
    await readOk(await put({ document: before?.body, accept_denials: 100 }))
  })
})

describe('a break-glass token', () => {
  test('lets its device in with no client, no database and no policy', async () => {
    const answer = await readOk(await ask(await signed(), subjectOf(device.id)))
    expect(answer).toEqual({
      decision: true,
      context: {
        verdict: 'unknown',
        reasons: [],
        reported: [],
        device_id: device.id,
        break_glass: {
          jti: CLAIMS.jti,
          sub: device.id,
          exp: '2026-03-02T08:30:00.000Z',
          reason: CLAIMS.reason,
        },
      },
    })
    expect(service.calls).toEqual([])
  })

  test('knows its device by id and by device token', async () => {
    for (const properties of [{ device_id: device.id }, { device_token: device.token }]) {
      const user = { type: 'user', id: 'alice', properties }
      expect((await readOk(await ask(await signed(), user))).decision).toBe(true)
    }
    expect(service.calls).toEqual([])
  })

  test('for all devices lets in whatever asks, named or not', async () => {
    const token = await signed({ sub: '*' })
    const user = { type: 'user', id: 'alice' }
    const lost = { ...user, properties: { device_token: 'x.y.z' } }
    for (const subject of [subjectOf(device.id), subjectOf(OTHER_DEVICE), user, lost]) {
      const { decision, context } = await readOk(await ask(token, subject))
      expect({ decision, sub: context.break_glass.sub }).toEqual({ decision: true, sub: '*' })
    }
    expect(service.calls).toEqual([])
  })

  test('is told as an error of the log, with who signed and why, and counted', async () => {
    const before = await counted('granted')
    const token = await signed()
    const lines = await logged('break_glass_used', async () => {
      const headers = { 'break-glass': token, 'x-request-id': 'req-1' }
      const subject = { type: 'user', id: 'secret', properties: { device_id: device.id } }
      const question = { subject, resource: RESOURCE, action: ACTION }
      await readOk(await service.post(EVALUATION, question, { headers }))
    })
    expect(lines).toEqual([
      {
        time: START.toISOString(),
        level: 'error',
        event: 'break_glass_used',
        request_id: 'req-1',
        jti: CLAIMS.jti,
        sub: device.id,
        iss: CLAIMS.iss,
        reason: CLAIMS.reason,
        expires_at: '2026-03-02T08:30:00.000Z',
        kids: 'alice bob',
        granted: 1,
        devices: device.id,
      },
    ])
    expect(service.logs.join('')).not.toContain(token)
    expect(await counted('granted')).toBe(before + 1)
  })

  test('makes no receipt, which would name rules that nobody applied', async () => {
    const context = { receipt: true }
    const answer = await readOk(await ask(await signed(), subjectOf(device.id), { context }))
    expect(answer.decision).toBe(true)
    expect(answer.context).not.toHaveProperty('receipt')
  })

  test('does not make a question readable that is not', async () => {
    const token = await signed()
    const answer = await ask(token, { type: 'device' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toBe('subject.id is required')
    const headers = { 'break-glass': token }
    for (const path of [EVALUATION, EVALUATIONS]) {
      const noJson = await service.post(path, null, { headers, body: '{' })
      expect(noJson.status).toBe(400)
      const large = await service.post(path, 'a'.repeat(600_000), { headers })
      expect(large.status).toBe(413)
      expect((await service.post(path, [], { headers })).status).toBe(400)
    }
  })

  test('opens nothing else', async () => {
    isStoreBroken = false
    const headers = { 'break-glass': await signed({ sub: '*' }) }
    expect((await service.request('/v1/devices', { headers })).status).toBe(401)
    expect((await service.post('/v1/attestations', {}, { headers })).status).not.toBe(201)
  })
})

describe('a batch with a break-glass token', () => {
  test('is answered item by item, in order and without the store', async () => {
    const evaluations = [
      { subject: subjectOf(device.id) },
      { subject: subjectOf(OTHER_DEVICE) },
      {},
      { subject: { type: 'user', id: 'u', properties: { device_token: device.token } } },
    ]
    const german = { 'accept-language': 'de' }
    const answer = await readOk(await askAll(await signed(), { evaluations }, german))
    const [own, other, unreadable, byToken] = answer.evaluations
    expect([own.decision, byToken.decision]).toEqual([true, true])
    expect(other).toMatchObject({
      decision: false,
      context: {
        verdict: 'unknown',
        reasons: [
          {
            code: 'break_glass_wrong_device',
            title: 'Der Notfallzugang gilt für ein anderes Gerät',
          },
        ],
        break_glass: { jti: CLAIMS.jti, sub: device.id },
        reason_admin: { '403': 'unknown: break_glass_wrong_device' },
        reason_user: { '403': expect.stringContaining('Notfallzugang') },
      },
    })
    expect(unreadable).toMatchObject({ decision: false, context: { error: { status: 400 } } })
    expect(service.calls).toEqual([])
  })

  test('is told once, with how much it granted', async () => {
    const subjects = [device.id, OTHER_DEVICE, device.id].map((id) => ({ subject: subjectOf(id) }))
    const token = await signed()
    const used = await logged('break_glass_used', () => askAll(token, { evaluations: subjects }))
    expect(used).toMatchObject([{ granted: 2, devices: device.id }])
  })

  test('that grants nothing is told as a refusal', async () => {
    const token = await signed()
    const evaluations = [{ subject: subjectOf(OTHER_DEVICE) }]
    const before = service.logs.length
    const refusals = await logged('break_glass_refused', () => askAll(token, { evaluations }))
    expect(refusals).toMatchObject([{ level: 'warn', reason: 'break_glass_wrong_device' }])
    expect(service.logs.slice(before).join('')).not.toContain('break_glass_used')
  })

  test('ends as its semantics say', async () => {
    const evaluations = [OTHER_DEVICE, device.id].map((id) => ({ subject: subjectOf(id) }))
    const options = { evaluations_semantic: 'deny_on_first_deny' }
    const answer = await readOk(await askAll(await signed(), { evaluations, options }))
    expect(answer.evaluations).toHaveLength(1)
  })

  test('of one question is that question', async () => {
    const own = await readOk(await askAll(await signed(), { subject: subjectOf(device.id) }))
    expect(own.decision).toBe(true)
    const other = await askAll(await signed(), { subject: subjectOf(OTHER_DEVICE) })
    await expectRefused(other, 'break_glass_wrong_device')
  })
})

describe('a token that is refused', () => {
  test('is an error that names the reason, told as a warning and counted', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['break_glass_malformed', 'x'],
      ['break_glass_too_large', 'A'.repeat(8_193)],
      ['break_glass_too_few_signatures', await signed({}, [alice])],
      ['break_glass_too_few_signatures', await signed({}, [alice, alice])],
      ['break_glass_signature_invalid', await signed({}, [alice, { ...mallory, kid: 'bob' }])],
      ['break_glass_wrong_audience', await signed({ aud: 'https://other.example' })],
      ['break_glass_lifetime_too_long', await signed({ exp: CLAIMS.iat + 3_601 })],
      ['break_glass_not_yet_valid', await signed({ iat: CLAIMS.iat + 61 })],
      ['break_glass_wrong_device', await signed({ sub: OTHER_DEVICE })],
    ]
    for (const [reason, token] of cases) {
      const before = await counted(reason)
      const lines = await logged('break_glass_refused', async () => {
        await expectRefused(await ask(token, subjectOf(device.id)), reason)
      })
      expect(lines).toMatchObject([{ level: 'warn', reason, request_id: expect.any(String) }])
      expect(await counted(reason)).toBe(before + 1)
    }
    expect(service.calls).toEqual([])
  })

  test('once it has expired opens no more', async () => {
    const token = await signed()
    clock.advance(1_800 + 60)
    await expectRefused(await ask(token, subjectOf(device.id)), 'break_glass_expired')
    await expectRefused(await askAll(token, { evaluations: [{}] }), 'break_glass_expired')
  })

  test('that names no device opens for none but all', async () => {
    const user = { type: 'user', id: 'alice' }
    for (const subject of [user, { ...subjectOf(device.id), properties: { device_id: 'x' } }]) {
      await expectRefused(await ask(await signed(), subject), 'break_glass_wrong_device')
    }
  })

  test('is refused to a good client too, and is never left aside', async () => {
    isStoreBroken = false
    const pep = await service.as('access.evaluate')
    const question = { subject: subjectOf(device.id), resource: RESOURCE, action: ACTION }
    const headers = { ...pep, 'break-glass': '' }
    const answer = await service.post(EVALUATION, question, { headers })
    await expectRefused(answer, 'break_glass_malformed')
    expect(
      (await readOk(await service.post(EVALUATION, question, { headers: pep }))).decision,
    ).toBe(false)
  })

  test('twice in one request is no token', async () => {
    const headers = new Headers()
    const token = await signed()
    headers.append('break-glass', token)
    headers.append('break-glass', token)
    const question = { subject: subjectOf(device.id), resource: RESOURCE, action: ACTION }
    const answer = await service.post(EVALUATION, question, { headers })
    await expectRefused(answer, 'break_glass_malformed')
  })

  test('is any where no keys are configured', async () => {
    const question = { subject: subjectOf(device.id), resource: RESOURCE, action: ACTION }
    const headers = { 'break-glass': await signed() }
    const answer = await closed.post(EVALUATION, question, { headers })
    await expectRefused(answer, 'break_glass_not_configured')
  })
})

describe('tokens of other kinds', () => {
  test('do not break the glass, and a break-glass token is none of them', async () => {
    await expectRefused(await ask(device.token, subjectOf(device.id)), 'break_glass_malformed')
    const token = await signed()
    expectRefusal(await service.services.verifyDeviceToken(token), 'device_token_invalid')
    const keys = expectOk(await importReceiptKeys(await service.services.publishedKeys()))
    expectRefusal(await verifyReceipt(token, { keys }), 'receipt_malformed')
  })
})

describe('without a token', () => {
  test('a client is asked for, as ever', async () => {
    isStoreBroken = false
    const question = { subject: subjectOf(device.id), resource: RESOURCE, action: ACTION }
    expect((await service.post(EVALUATION, question)).status).toBe(401)
    expect((await service.post(EVALUATIONS, question)).status).toBe(401)
  })
})

describe('a start with a threshold of one', () => {
  test('is warned of', async () => {
    isStoreBroken = false
    const env = { BREAK_GLASS_KEYS: keySetOf(alice), BREAK_GLASS_THRESHOLD: '1' }
    const alone = await createTestService({ database, clock, env })
    const lines = alone.logs.map((line) => JSON.parse(line))
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'break_glass_by_one' }),
    )
    expect(service.logs.join('')).not.toContain('break_glass_by_one')
  })
})
