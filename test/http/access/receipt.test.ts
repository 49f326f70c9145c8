import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { ReceiptClaims } from '../../../src/access/receipt/claims.ts'
import { describeDevice, describeEvidence } from '../../../src/access/receipt/inputs.ts'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { recomputeReceipt } from '../../../src/access/receipt/recompute.ts'
import { verifyReceipt } from '../../../src/access/receipt/verify.ts'
import { importKeySet } from '../../../src/evidence/jws/key-set.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, readOk, START, startDevice, testClock } from '../../support/service.ts'
import {
  attestMinted,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
} from '../../support/submission.ts'
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
const CONTEXT = { receipt: true, network: 'guest' }

const good = await attestOne()
const bad = await attestOne({ secureBootEnabled: false })

async function attestOne(claims: Readonly<Record<string, unknown>> = {}) {
  const { answer } = await attestMinted(service, { claims })
  const { device_id: id, device_token: token } = await readOk(answer, 201)
  return { id, token, subject: { type: 'device', id } }
}

const questionOf = (subject: object, context: object = CONTEXT) => ({
  subject,
  resource: RESOURCE,
  action: ACTION,
  context,
})

async function evaluate(question: object) {
  return readOk(await service.post(EVALUATION, question, { headers: pep }))
}

async function publishedKeys() {
  return readOk(await service.request('/.well-known/jwks.json'))
}

async function verify(receipt: string) {
  const keys = expectOk(await importReceiptKeys(await publishedKeys()))
  return verifyReceipt(receipt, { keys, issuer: service.url })
}

/** Verifies and decides again, from nothing but what is published and stored. */
async function recompute(receipt: string, request: object) {
  const verified = expectOk(await verify(receipt))
  const { claims } = verified
  const inputs = { ...(await storedInputs(claims)), request }
  const keys = expectOk(await importReceiptKeys(await publishedKeys()))
  const decision = expectOk(
    await recomputeReceipt({ receipt: verified, inputs: JSON.parse(JSON.stringify(inputs)), keys }),
  )
  return { claims, decision }
}

async function storedInputs({ device_id, policy_hash, reference_values_hash }: ReceiptClaims) {
  return database.serve(async () => {
    const { store } = database
    const { record } = device_id ? await store.trustRecord(device_id) : { record: null }
    const policy = await store.document('policy', policy_hash)
    const referenceValues = await store.document('reference-values', reference_values_hash)
    return {
      device: record && describeDevice(record),
      evidence: record?.attestation ? describeEvidence(record.attestation) : null,
      policy: policy?.body,
      reference_values: referenceValues?.body,
    }
  })
}

describe('a receipt', () => {
  test('comes with a decision that was asked for one, and with no other', async () => {
    const { receipt, ...context } = (await evaluate(questionOf(good.subject))).context
    expect(receipt).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    const plain = await evaluate(questionOf(good.subject, { network: 'guest' }))
    expect(plain).toEqual({ decision: true, context })
    for (const other of [false, 'true', 1, {}]) {
      const answer = await evaluate(questionOf(good.subject, { receipt: other }))
      expect(answer.context).not.toHaveProperty('receipt')
    }
  })

  test('of a grant verifies by the published keys, and the grant comes out again', async () => {
    const question = questionOf(good.subject)
    const { context } = await evaluate(question)
    const { claims, decision } = await recompute(context.receipt, question)
    expect(decision.decision).toBe(true)
    expect(claims).toMatchObject({
      iss: service.url,
      iat: START.getTime() / 1000,
      jti: expect.stringMatching(/^rcp_[a-z2-7]{26}$/),
      decision: true,
      verdict: 'trusted',
      reasons: [],
      mode: 'enforce',
      decided_at: START.toISOString(),
      device_id: good.id,
      attestation_id: context.attestation_id,
      attested_at: context.attested_at,
      valid_until: context.valid_until,
      policy_hash: context.policy,
      reference_values_hash: context.reference_values,
      verifier: service.url,
    })
    const unmet = claims.clauses.filter(({ status }) => ['fail', 'undecidable'].includes(status))
    expect(unmet.map(({ id }) => id)).toEqual(context.reported)
    expect(claims.clauses.length).toBeGreaterThan(unmet.length)
  })

  test('of a denial names the clause that failed', async () => {
    const question = questionOf({ type: 'user', id: 'alice', properties: { device_id: bad.id } })
    const { decision, context } = await evaluate(question)
    expect(decision).toBe(false)
    const { claims } = await recompute(context.receipt, question)
    expect(claims).toMatchObject({ verdict: 'untrusted', reasons: ['clause_failed'] })
    expect(claims.clauses).toContainEqual({ id: 'secure_boot_on', status: 'fail' })
    expect(JSON.stringify(claims)).not.toContain('alice')
  })

  test('of a request with a device token decides about that device again', async () => {
    const user = { type: 'user', id: 'alice', properties: { device_token: good.token } }
    const { context } = await evaluate(questionOf(user))
    expect((await recompute(context.receipt, questionOf(user))).decision.decision).toBe(true)
    clock.advance(8 * 3600 + 1)
    const late = await evaluate(questionOf(user))
    const { claims } = await recompute(late.context.receipt, questionOf(user))
    expect(claims).toMatchObject({ decision: false, reasons: ['device_token_refused'] })
  })

  test('is made where no device is named or known, too', async () => {
    for (const [subject, code] of [
      [{ type: 'user', id: 'alice' }, 'device_not_named'],
      [{ type: 'device', id: 'nobody' }, 'device_unknown'],
      [{ ...good.subject, properties: { device_id: bad.id } }, 'device_names_conflict'],
    ] as const) {
      const { context } = await evaluate(questionOf(subject))
      const { claims } = await recompute(context.receipt, questionOf(subject))
      expect(claims).toMatchObject({ decision: false, verdict: 'unknown', reasons: [code] })
    }
  })

  test('is another one each time, over the same facts', async () => {
    const receipts = await Promise.all([1, 2].map(() => evaluate(questionOf(good.subject))))
    const payloads = await Promise.all(
      receipts.map(async ({ context }) => expectOk(await verify(context.receipt)).payload),
    )
    const [a, b] = payloads.map(({ jti, ...facts }) => ({ jti, facts }))
    expect(a?.jti).not.toBe(b?.jti)
    expect(a?.facts).toEqual(b?.facts)
  })

  test('costs the store nothing', async () => {
    await evaluate(questionOf(good.subject))
    service.calls.length = 0
    await evaluate(questionOf(good.subject))
    expect(service.calls).toEqual(['trustRecord'])
  })

  test('of a request without a canonical form is refused, and without one it is answered', async () => {
    // RFC 8785 §3.2.2.3: no number beyond the range of a double.
    const question = questionOf({ type: 'device', id: 'X', properties: { n: 'N' } })
    const body = JSON.stringify(question).replace('"N"', '1e400')
    const answer = await service.post(EVALUATION, null, { body, headers: pep })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatch(/RFC 8785/)
    const plain = body.replace('"receipt":true', '"receipt":false')
    await readOk(await service.post(EVALUATION, null, { body: plain, headers: pep }))
  })
})

describe('receipts of a batch', () => {
  test('come with the items that ask for them', async () => {
    const asked = { subject: good.subject, context: CONTEXT }
    const evaluations = [asked, { subject: bad.subject }, { ...asked, subject: bad.subject }]
    const body = { resource: RESOURCE, action: ACTION, evaluations }
    const answer = await readOk(await service.post(EVALUATIONS, body, { headers: pep }))
    const receipts = answer.evaluations.map(
      ({ context }: { context: { receipt?: string } }) => context.receipt,
    )
    expect(receipts[1]).toBe(undefined)
    const first = await recompute(receipts[0], questionOf(good.subject))
    expect(first.claims.decision).toBe(true)
    expect((await recompute(receipts[2], questionOf(bad.subject))).claims.decision).toBe(false)
  })

  test('come with all of them when the context asks that all share', async () => {
    const evaluations = [{ subject: good.subject }, {}, { subject: { type: 'user', id: 'alice' } }]
    const body = { resource: RESOURCE, action: ACTION, context: CONTEXT, evaluations }
    const answer = await readOk(await service.post(EVALUATIONS, body, { headers: pep }))
    const [first, second, third] = answer.evaluations
    expectOk(await verify(first.context.receipt))
    expect(second.context.error).toMatchObject({ status: 400 })
    const { claims } = expectOk(await verify(third.context.receipt))
    expect(claims.reasons).toEqual(['device_not_named'])
  })

  test('are refused to the one item that has no canonical form', async () => {
    const beyond = { type: 'device', id: 'X', properties: { n: 'N' } }
    const evaluations = [{ subject: good.subject }, { subject: beyond }]
    const asked = { resource: RESOURCE, action: ACTION, context: CONTEXT, evaluations }
    const body = JSON.stringify(asked).replace('"N"', '1e400')
    const answer = await readOk(await service.post(EVALUATIONS, null, { body, headers: pep }))
    expectOk(await verify(answer.evaluations[0].context.receipt))
    expect(answer.evaluations[1]).toMatchObject({
      decision: false,
      context: { error: { status: 400, message: expect.stringContaining('RFC 8785') } },
    })
  })

  test('come with a single question in the place of a batch', async () => {
    const answer = await service.post(EVALUATIONS, questionOf(good.subject), { headers: pep })
    expectOk(await verify((await readOk(answer)).context.receipt))
  })
})

describe('what we sign', () => {
  test('is signed by a key for each kind, both published as plain public keys', async () => {
    const { keys } = await publishedKeys()
    const { receipt } = (await evaluate(questionOf(good.subject))).context
    const kids = [good.token, receipt].map((jws) => decodeProtectedHeader(jws).kid)
    expect(new Set(kids).size).toBe(2)
    expect(keys.map(({ kid }: { kid: string }) => kid)).toEqual(expect.arrayContaining(kids))
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    }
  })

  test('passes for nothing else', async () => {
    const { receipt } = (await evaluate(questionOf(good.subject))).context
    expectRefusal(await service.services.verifyDeviceToken(receipt), 'device_token_invalid')
    const user = { type: 'user', id: 'alice', properties: { device_token: receipt } }
    expect((await evaluate(questionOf(user))).context.reasons).toMatchObject([
      { code: 'device_token_refused' },
    ])
    expectRefusal(await verify(good.token), 'receipt_type_wrong')
    const claims = mintedClaims(service, { deviceKey: newDeviceKey(), nonce: 'n' })
    expectRefusal(await verify(await mintToken(service, claims)), 'receipt_type_wrong')
  })

  test('gives no key that attestation tokens are verified with', async () => {
    expectRefusal(await importKeySet(await publishedKeys()), 'key_set_empty')
  })
})
