import { describe, expect, test } from 'vitest'
import { BUILT_IN_KINDS, type BuiltInFailure } from '../../../src/verifier/kinds/built-in.ts'
import { listAnswers, toWireError } from '../../../src/verifier/protocol/errors.ts'
import type { ProtocolFailure } from '../../../src/verifier/protocol/protocol-failure.ts'
import { COARSE_CODES } from '../../../src/verifier/protocol/wire-answers.ts'
import { ISSUER_REASONS } from '../../../src/verifier/steps/certified-path.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

type AnyFailure = ProtocolFailure | BuiltInFailure

const REQUEST_ID = 'req_1'
const answers = listAnswers(BUILT_IN_KINDS)
const reasons = Object.keys(answers)

/** As much of a failure as answers are made of. */
const failure = (reason: string, place: object = {}) => ({ reason, ...place }) as AnyFailure
const answer = (reason: string, place?: object) => toWireError(failure(reason, place), REQUEST_ID)
const innerOf = (reason: string, place?: object) => answer(reason, place).body.error.innererror

describe('an answer to a refusal', () => {
  test.each(reasons)('%s: has the form of Azure and says what to change', (reason) => {
    const { status, body } = answer(reason)
    expect(Object.keys(body)).toEqual(['error'])
    const { code, message, innererror } = body.error
    const codes = { 400: /^(InvalidParameter|PolicyEvaluationError)$/ } as const
    if (status === 400) expect(code).toMatch(codes[400])
    expect(message.split('. ').length).toBeGreaterThan(1)
    expect(innererror.request_id).toBe(REQUEST_ID)
  })

  test('has the exact reason as its code, but for those that are merged', () => {
    const merged = reasons.filter((reason) => innerOf(reason).code !== reason)
    expect(merged.sort()).toEqual(['context_foreign', 'context_forged', 'context_malformed'])
    const told = merged.map((reason) => answer(reason))
    expect(new Set(told.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(told[0]?.body.error.innererror).toEqual({
      code: 'context_refused',
      request_id: REQUEST_ID,
    })
    expect(Object.keys(COARSE_CODES)).toEqual(['context_refused'])
  })

  test('of a merged code tells neither place nor expectation', () => {
    const place = { member: 'request.att_data.service_context', offset: 3, expected: 'a secret' }
    expect(answer('context_forged', place)).toEqual(answer('context_foreign'))
  })

  test('says where, and what would have been right', () => {
    const place = { member: 'a.b', structure: 'TPMS_ATTEST', field: 'magic', offset: 4 }
    const inner = innerOf('unexpected_value', { ...place, expected: 'ff544347' })
    expect(inner).toEqual({
      code: 'unexpected_value',
      where: { member: 'a.b', structure: 'TPMS_ATTEST.magic', offset: 4 },
      expected: 'ff544347',
      request_id: REQUEST_ID,
    })
  })

  test('speaks of sizes of a TPM2B only where the structure is a TPM', () => {
    const messageOf = (structure: string) =>
      answer('unexpected_value', { structure, field: 'any' }).body.error.message
    expect(messageOf('TPMS_ATTEST')).toContain('TPM2B')
    for (const other of ['SIPA_EVENT', 'VBS_ENCLAVE_REPORT_PKG', 'TCG_EVENT_LOG']) {
      expect(messageOf(other), other).not.toContain('TPM2B')
    }
    expect(messageOf('NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT')).not.toContain('TPM2B')
  })

  test('ATTACK: what a failure found stays here', () => {
    const text = JSON.stringify(answer('quote_nonce_mismatch', { found: 'f00d' }))
    expect(text).not.toContain('f00d')
  })

  test('tells an agent when to ask for a new challenge, and when its key is not certified', () => {
    expect(answer('context_expired').body.error.message).toContain('new challenge')
    expect(answer('aik_not_certified').body.error.code).toBe('PolicyEvaluationError')
    expect(answer('api_version_unsupported').body.error.code).toBe('InvalidParameter')
    expect(answer('context_rate_limited').status).toBe(429)
  })

  test('is no fault of the request where an authority cannot be had', () => {
    for (const reason of ISSUER_REASONS) {
      const { status, body } = answer(reason)
      expect([status, body.error.code]).toEqual([503, 'ServiceUnavailable'])
    }
  })
})

describeVectors('error bodies of Azure', () => {
  test('have the members that ours have', () => {
    const recorded = vectorJson('maa/errors/error-PolicyEvaluationError-400.json')
    expect(recorded.body).toMatchObject({
      error: { code: expect.any(String), message: expect.any(String) },
    })
    expect(recorded.status).toBe(answer('aik_not_certified').status)
  })
})
