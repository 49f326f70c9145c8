import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { MAX_EVALUATIONS } from '../../../src/access/limits.ts'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { verifyReceipt } from '../../../src/access/receipt/verify.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  basic,
  createTestService,
  readOk,
  START,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
await rememberHealthy(service, await startDevice())
const pep = await service.as('access.evaluate')
afterAll(() => database.close())
beforeEach(() => clock.set(START))

const EVALUATION = '/access/v1/evaluation'
const EVALUATIONS = '/access/v1/evaluations'
const RESOURCE = { type: 'application', id: 'payroll' }
const ACTION = { name: 'signin' }

const good = await attestOne()
const bad = await attestOne({ secureBootEnabled: false })

async function attestOne(claims: Readonly<Record<string, unknown>> = {}) {
  const { answer } = await attestMinted(service, { claims })
  const { device_id: id, device_token: token } = await readOk(answer, 201)
  return { id, token, subject: { type: 'device', id } }
}

function ask(path: string, body: unknown, headers: Readonly<Record<string, string>> = pep) {
  return service.post(path, body, { headers })
}

async function evaluate(subject: object, more: object = {}) {
  const question = { subject, resource: RESOURCE, action: ACTION, ...more }
  return readOk(await ask(EVALUATION, question))
}

async function evaluateAll(body: object) {
  return readOk(await ask(EVALUATIONS, { resource: RESOURCE, action: ACTION, ...body }))
}

/** The message string that AuthZEN §10.1.2 asks for, as JSON. */
async function expectMessage(answer: Response, status: number, message: RegExp): Promise<void> {
  const body = (await answer.json()) as string
  expect(body).toMatch(message)
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/json')
}

describe('a question about a device', () => {
  test('is answered by its trust, and by what was decided under', async () => {
    const decision = await evaluate(good.subject)
    expect(decision).toEqual({
      decision: true,
      context: {
        verdict: 'trusted',
        reasons: [],
        reported: expect.any(Array),
        policy: expect.stringMatching(/^[0-9a-f]{64}$/),
        reference_values: expect.stringMatching(/^[0-9a-f]{64}$/),
        device_id: good.id,
        attestation_id: expect.stringMatching(/^att_/),
        attested_at: START.toISOString(),
        valid_until: '2026-03-02T16:00:00.000Z',
        cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) },
      },
    })
  })

  test('is denied with reasons and repair text, as an answer and not as an error', async () => {
    const { decision, context } = await evaluate(bad.subject)
    expect(decision).toBe(false)
    expect(context).toMatchObject({
      verdict: 'untrusted',
      reasons: [{ code: 'clause_failed', clause: 'secure_boot_on', measured_at: 'boot' }],
      reason_admin: { '403': expect.stringContaining('secure_boot_on') },
      reason_user: { '403': expect.stringContaining('Secure Boot') },
    })
  })

  test('is answered in the language of the request, or of its context', async () => {
    const question = { subject: bad.subject, resource: RESOURCE, action: ACTION }
    const german = { ...pep, 'accept-language': 'de' }
    const title = 'Secure Boot ist ausgeschaltet'
    for (const answer of [
      await ask(EVALUATION, question, german),
      await ask(EVALUATION, { ...question, context: { language: 'de' } }),
    ]) {
      expect((await readOk(answer)).context.reasons[0].title).toBe(title)
    }
  })

  test('that nobody knows is denied', async () => {
    for (const id of [`dev_${'a'.repeat(52)}`, 'alice', "';--", ' ']) {
      const { decision, context } = await evaluate({ type: 'device', id })
      expect({ decision, ...context }).toMatchObject({
        decision: false,
        verdict: 'unknown',
        reasons: [{ code: 'device_unknown' }],
      })
    }
  })

  test('gets the same decision however often it is asked', async () => {
    const answers = [await evaluate(good.subject), await evaluate(good.subject)]
    expect(answers[1]).toEqual(answers[0])
    expect(await evaluate(good.subject)).toEqual(answers[0])
  })

  test('is not swayed by members of the prototype', async () => {
    const body = `{"subject":{"type":"device","id":"${bad.id}","properties":{"__proto__":{"device_id":"${good.id}"}}},
      "resource":{"type":"a","id":"b"},"action":{"name":"c"},"__proto__":{"decision":true},
      "context":{"constructor":{"prototype":{"decision":true}}}}`
    const answer = await service.post(EVALUATION, null, { body, headers: pep })
    expect(await readOk(answer)).toMatchObject({
      decision: false,
      context: { verdict: 'untrusted' },
    })
    expect(({} as Record<string, unknown>).decision).toBeUndefined()
  })
})

describe('a question about a user', () => {
  const user = (properties: object) => ({ type: 'user', id: 'alice', properties })

  test('is about the device that is named in its properties', async () => {
    expect((await evaluate(user({ device_id: good.id }))).decision).toBe(true)
    expect((await evaluate(user({ device_id: bad.id }))).decision).toBe(false)
  })

  test('is about the device whose token it carries', async () => {
    expect(await evaluate(user({ device_token: good.token }))).toMatchObject({
      decision: true,
      context: { device_id: good.id },
    })
    expect((await evaluate(user({ device_token: bad.token }))).decision).toBe(false)
  })

  test('is denied when it names no device', async () => {
    expect(await evaluate(user({}))).toMatchObject({
      decision: false,
      context: { verdict: 'unknown', reasons: [{ code: 'device_not_named' }] },
    })
  })

  test('is denied when it names two', async () => {
    const { context } = await evaluate(user({ device_id: bad.id, device_token: good.token }))
    expect(context.reasons).toMatchObject([{ code: 'device_names_conflict' }])
  })

  test('is denied with a token that has expired', async () => {
    clock.advance(8 * 3600 + 1)
    const { decision, context } = await evaluate(user({ device_token: good.token }))
    expect(decision).toBe(false)
    expect(context.reasons).toMatchObject([{ code: 'device_token_refused' }])
  })

  const payload = good.token.split('.')[1]
  const forgeries: readonly [string, () => unknown | Promise<unknown>][] = [
    ['altered', () => good.token.replace(/.{6}$/, 'AAAAAA')],
    [
      'unsigned',
      () =>
        `${Buffer.from('{"alg":"none","typ":"countersign-device+jwt"}').toString('base64url')}.${payload}.`,
    ],
    [
      'signed by another key',
      async () => {
        const { privateKey } = await crypto.subtle.generateKey(
          { name: 'ECDSA', namedCurve: 'P-256' },
          false,
          ['sign', 'verify'],
        )
        const kid = (await service.services.publishedKeys()).keys[0]?.kid ?? ''
        return new SignJWT({ cnf: { jkt: 'a' } })
          .setProtectedHeader({ alg: 'ES256', typ: 'countersign-device+jwt', kid })
          .setIssuer(service.url)
          .setAudience(service.url)
          .setSubject(good.id)
          .setIssuedAt(START)
          .setExpirationTime('8h')
          .sign(privateKey)
      },
    ],
    ['a text', () => 'token'],
    ['a number', () => 1],
    ['null', () => null],
    ['huge', () => 'a'.repeat(5_000)],
  ]
  test.each(forgeries)('is denied with a token that is %s', async (_name, forge) => {
    const { decision, context } = await evaluate(user({ device_token: await forge() }))
    expect(decision).toBe(false)
    expect(context.reasons).toMatchObject([{ code: 'device_token_refused' }])
  })
})

describe('questions in a batch', () => {
  const items = [{ subject: good.subject }, { subject: bad.subject }, { subject: good.subject }]
  const decisionsOf = ({ evaluations }: { evaluations: { decision: boolean }[] }) =>
    evaluations.map(({ decision }) => decision)

  test.each([
    [undefined, [true, false, true]],
    ['execute_all', [true, false, true]],
    ['deny_on_first_deny', [true, false]],
    ['permit_on_first_permit', [true]],
  ])('are answered in order, by %s', async (semantic, expected) => {
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } }
    const answer = await evaluateAll({ evaluations: items, ...options })
    expect(decisionsOf(answer)).toEqual(expected)
    expect(answer).not.toHaveProperty('decision')
  })

  test('inherit what they do not say, and override it whole', async () => {
    const answer = await evaluateAll({
      subject: { ...bad.subject, properties: { device_id: bad.id } },
      evaluations: [{}, { subject: good.subject }, { action: { name: 'other' } }],
    })
    expect(decisionsOf(answer)).toEqual([false, true, false])
  })

  test('keep what is wrong with one of them to that one', async () => {
    const answer = await evaluateAll({
      evaluations: [{ subject: good.subject }, {}, { subject: 'alice' }, { subject: bad.subject }],
    })
    expect(decisionsOf(answer)).toEqual([true, false, false, false])
    expect(answer.evaluations[1].context).toEqual({
      error: { status: 400, message: 'subject is required' },
    })
    expect(answer.evaluations[2].context.error.message).toBe('subject must be an object')
  })

  test.each([[{ evaluations: [] }], [{}]])('that hold none are one question: %j', async (more) => {
    const answer = await evaluateAll({ subject: good.subject, ...more })
    expect(answer).toMatchObject({ decision: true })
    expect(answer).not.toHaveProperty('evaluations')
  })

  test('mix tokens and names', async () => {
    const user = { type: 'user', id: 'alice', properties: { device_token: good.token } }
    const answer = await evaluateAll({ evaluations: [{ subject: user }, { subject: bad.subject }] })
    expect(decisionsOf(answer)).toEqual([true, false])
  })

  test.each([
    [{ evaluations: {} }, /evaluations must be an array/],
    [{ evaluations: [{}], options: { evaluations_semantic: 'first' } }, /evaluations_semantic/],
    [{ evaluations: [{}], options: [] }, /options must be an object/],
    [{ evaluations: Array(MAX_EVALUATIONS + 1).fill({}) }, /at most 100 items/],
  ])('that cannot be read at all are refused', async (body, message) => {
    await expectMessage(await ask(EVALUATIONS, body), 400, message)
  })
})

describe('the store', () => {
  test('is asked once for a question, and once for a batch of any size', async () => {
    await evaluate(good.subject)
    service.calls.length = 0
    await evaluate(good.subject)
    expect(service.calls).toEqual(['trustRecord'])
    service.calls.length = 0
    const evaluations = [good, bad, good, bad].map(({ subject }) => ({ subject }))
    await evaluateAll({ evaluations })
    expect(service.calls).toEqual(['trustRecords'])
  })

  test('is asked for nothing by a question that cannot be read', async () => {
    service.calls.length = 0
    await ask(EVALUATION, {})
    await ask(EVALUATIONS, [])
    expect(service.calls).toEqual([])
  })

  test('is changed by no question', async () => {
    const before = await service.query('select count(*) from audit')
    await evaluate(bad.subject)
    expect(await service.query('select count(*) from audit')).toEqual(before)
  })
})

describe('a caller', () => {
  test('without credentials, or with wrong ones, is asked for them', async () => {
    const id =
      Buffer.from(pep.authorization?.slice(6) ?? '', 'base64')
        .toString()
        .split(':')[0] ?? ''
    const wrong: readonly (string | undefined)[] = [
      undefined,
      '',
      'Basic',
      'Basic !!!',
      basic(id, 'css_wrong'),
      basic(id, ''),
      basic('cli_nobody', 'css_wrong'),
      basic('', ''),
      basic('a\u0000b', 'c'),
      `Basic ${'A'.repeat(2_000)}`,
      pep.authorization?.replace('Basic', 'Digest'),
    ]
    for (const authorization of wrong) {
      const headers = authorization === undefined ? undefined : { authorization }
      const answer = await ask(EVALUATION, {}, headers ?? {})
      expect(answer.headers.get('www-authenticate')).toContain(
        'Basic realm="countersign", charset="UTF-8"',
      )
      await expectMessage(answer, 401, /client credentials/)
    }
  })

  test('with a device token in place of an access token is told that it is none', async () => {
    const answer = await ask(EVALUATION, {}, { authorization: `Bearer ${good.token}` })
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
    await expectMessage(answer, 401, /token/)
  })

  test('may write the scheme in any case', async () => {
    const authorization = pep.authorization?.replace('Basic', 'bAsIc') ?? ''
    await readOk(
      await ask(
        EVALUATION,
        { subject: good.subject, resource: RESOURCE, action: ACTION },
        { authorization },
      ),
    )
  })

  test('with other scopes is turned away', async () => {
    const headers = await service.as('admin.read', 'admin.write')
    await expectMessage(await ask(EVALUATION, {}, headers), 403, /access\.evaluate/)
    await expectMessage(await ask(EVALUATIONS, {}, headers), 403, /access\.evaluate/)
  })

  test('that was disabled is turned away within seconds', async () => {
    const other = await createTestService({ database, clock })
    const headers = await other.as('access.evaluate')
    const question = { subject: good.subject, resource: RESOURCE, action: ACTION }
    await readOk(await ask(EVALUATION, question, headers))
    const clientId =
      Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
        .toString()
        .split(':')[0] ?? ''
    await database.store.disableClient({ clientId, by: 'test', now: START })
    clock.advance(5)
    await expectMessage(await ask(EVALUATION, question, headers), 401, /client credentials/)
  })

  test('with a member of the wrong type or none is told which', async () => {
    await expectMessage(await ask(EVALUATION, {}), 400, /^subject is required$/)
    const illTyped = { subject: good.subject, resource: RESOURCE, action: { name: 1 } }
    await expectMessage(await ask(EVALUATION, illTyped), 400, /^action\.name must be a string$/)
  })

  test('that sends too much is refused, declared or not', async () => {
    const question = { subject: good.subject, resource: RESOURCE, action: ACTION }
    const body = JSON.stringify({ ...question, context: { filler: 'a'.repeat(70_000) } })
    const declared = { ...pep, 'content-length': String(body.length) }
    for (const headers of [pep, declared]) {
      const answer = await service.post(EVALUATION, null, { body, headers })
      await expectMessage(answer, 413, /65536 bytes/)
    }
  })
})

describe('metadata', () => {
  test('names the endpoints, and may be kept', async () => {
    const answer = await service.request('/.well-known/authzen-configuration')
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
    const { signed_metadata: signed, ...metadata } = await readOk(answer)
    expect(metadata).toEqual({
      policy_decision_point: service.url,
      access_evaluation_endpoint: `${service.url}${EVALUATION}`,
      access_evaluations_endpoint: `${service.url}${EVALUATIONS}`,
      search_subject_endpoint: `${service.url}/access/v1/search/subject`,
      search_resource_endpoint: `${service.url}/access/v1/search/resource`,
      search_action_endpoint: `${service.url}/access/v1/search/action`,
    })
    // jose is the witness: AuthZEN §9.1 wants a JWS with `iss`, and no `signed_metadata` within it.
    const keys = await readOk(await service.request('/.well-known/jwks.json'))
    const { payload } = await jwtVerify(signed, createLocalJWKSet(keys), { issuer: service.url })
    expect(payload).toEqual({ iss: service.url, ...metadata })
  })

  test('names only what is served', async () => {
    const metadata = await readOk(await service.request('/.well-known/authzen-configuration'))
    for (const [name, url] of Object.entries<string>(metadata)) {
      if (!name.endsWith('_endpoint')) continue
      const answer = await ask(new URL(url).pathname, {})
      expect(answer.status, name).toBe(400)
    }
  })

  test('is signed with a type of its own, which is no receipt', async () => {
    const metadata = await readOk(await service.request('/.well-known/authzen-configuration'))
    const keys = await readOk(await service.request('/.well-known/jwks.json'))
    const { signed_metadata: signed } = metadata
    expect(decodeProtectedHeader(signed).typ).toBe('countersign-authzen-configuration+jwt')
    const receiptKeys = expectOk(await importReceiptKeys(keys))
    expectRefusal(await verifyReceipt(signed, { keys: receiptKeys }), 'receipt_type_wrong')
  })

  test('of an identifier with a path stands at its place too (AuthZEN §9.2)', async () => {
    const env = { PUBLIC_URL: 'https://trust.example/tenant1' }
    const other = await createTestService({ database, clock, env })
    const path = '/.well-known/authzen-configuration/tenant1'
    const metadata = await readOk(await other.request(path))
    expect(metadata.policy_decision_point).toBe('https://trust.example/tenant1')
  })

  test('names them as the outside knows them', async () => {
    const env = { PUBLIC_URL: 'https://trust.example' }
    const other = await createTestService({ database, clock, env })
    const metadata = await readOk(await other.request('/.well-known/authzen-configuration'))
    expect(metadata.policy_decision_point).toBe('https://trust.example')
  })
})
