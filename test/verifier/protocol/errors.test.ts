import { expect, test } from 'vitest'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { LOG_REASONS } from '../../../src/evidence/event-log/failure.ts'
import { QUOTE_REASONS } from '../../../src/evidence/tpm/quote.ts'
import { REPORT_REASONS } from '../../../src/evidence/vbs/report.ts'
import { AIK_REASONS } from '../../../src/verifier/kinds/tpm/attestation-key.ts'
import { toWireError } from '../../../src/verifier/protocol/errors.ts'
import { CONTEXT_REASONS } from '../../../src/verifier/protocol/service-context.ts'
import { ISSUER_REASONS } from '../../../src/verifier/steps/certified-path.ts'
import type { VerifierFailure } from '../../../src/verifier/verifier.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const answer = (reason: VerifierFailure['reason']) => toWireError({ reason } as VerifierFailure)

test('every kind of refusal has an answer of Azure form without the reason in it', () => {
  const reasons = [
    ...[...QUOTE_REASONS, ...LOG_REASONS, ...REPORT_REASONS, ...CONTEXT_REASONS],
    ...[...PARSE_REASONS, ...AIK_REASONS],
  ]
  for (const reason of reasons) {
    const { status, body } = answer(reason)
    expect(status).toBe(400)
    expect(Object.keys(body)).toEqual(['error'])
    expect(['InvalidParameter', 'PolicyEvaluationError']).toContain(body.error.code)
    expect(JSON.stringify(body)).not.toContain(reason)
  }
})

test('an agent learns when to ask for a new challenge, and when its key is not certified', () => {
  expect(answer('context_expired').body.error.message).toContain('new challenge')
  expect(answer('aik_not_certified').body.error.code).toBe('PolicyEvaluationError')
  expect(answer('api_version_unsupported').body.error.code).toBe('InvalidParameter')
})

test('refusals of one kind look alike', () => {
  expect(answer('context_forged')).toEqual(answer('context_expired'))
  expect(answer('quote_nonce_mismatch')).toEqual(answer('quote_signature_invalid'))
})

test('an authority that cannot be had is no fault of the request', () => {
  for (const reason of ISSUER_REASONS) {
    const { status, body } = answer(reason)
    expect([status, body.error.code]).toEqual([503, 'ServiceUnavailable'])
  }
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
