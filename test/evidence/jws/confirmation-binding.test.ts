import { describe, expect, test } from 'vitest'
import { bindingOfConfirmation } from '../../../src/evidence/jws/confirmation-binding.ts'
import { readConfirmationKey } from '../../../src/evidence/jws/confirmation-key.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

/** The shape of RFC 7517's RSA keys; nothing is verified with them. */
const key = (letter: string) => ({ kty: 'RSA', n: letter.repeat(342), e: 'AQAB' })
const cnf = { jwk: key('x') }
const confirmation = readConfirmationKey(cnf.jwk)
if (confirmation === undefined) throw new TypeError('no key that a device can prove')
const requestKey = (info: unknown, jwk: unknown = cnf.jwk) => ({
  'x-ms-tpm-request-key': { jwk, info },
})

describe('a cnf key that the evidence holds', () => {
  test.each([
    ['enclave_report', { vbsReportPresent: true }],
    ['tpm_quote', requestKey({ tpm_quote: { hash_alg: 'sha-256' } })],
    ['tpm_certify', requestKey({ tpm_certify: { name_alg: 11, obj_attr: 50, auth_policy: '' } })],
  ])('by %s', (binding, claims) => {
    expect(bindingOfConfirmation(claims, confirmation)).toBe(binding)
  })
})

describe('a cnf key of which nothing says so', () => {
  const quoted = { tpm_quote: { hash_alg: 'sha-256' } }
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['a token of version 1 without a report', {}],
    ['a report that was not there', { vbsReportPresent: false }],
    ['a report that is only said to be there', { vbsReportPresent: 'true' }],
    ['another key in the quote', requestKey(quoted, key('y'))],
    ['a quoted key that cannot be read', requestKey(quoted, { kty: 'RSA' })],
    ['a request key without information', requestKey(undefined)],
    ['a binding that nobody knows', requestKey({ vbs_ncrypt: {} })],
    ['a binding that is no object', requestKey({ tpm_quote: true })],
    ['another key of the request', { 'x-ms-tpm-other-keys': [{ jwk: cnf.jwk, info: quoted }] }],
    ['a request key that is text', { 'x-ms-tpm-request-key': JSON.stringify(quoted) }],
  ])('%s', (_name, claims) => {
    expect(bindingOfConfirmation(claims, confirmation)).toBeUndefined()
  })
})

/** Microsoft's two public samples of TPM tokens. One key is cut off and said to be that of `cnf`. */
describeVectors('documented tokens of Azure Attestation', () => {
  test('that of the HealthAttestation CSP, of a request of version 1, confirms nothing', () => {
    const { payload } = vectorJson('maa/docs-samples/tpm-token-healthattestation-csp.decoded.json')
    expect(payload.cnf.jwk.kty).toBe('RSA')
    expect(bindingOfConfirmation(payload, confirmation)).toBeUndefined()
  })

  test('that with x-ms-tpm-request-key confirms the key that was quoted', () => {
    const { payload } = vectorJson('maa/docs-samples/tpm-token-azure-docs-image.decoded.json')
    const { info } = payload['x-ms-tpm-request-key']
    expect(bindingOfConfirmation({ ...payload, ...requestKey(info) }, confirmation)).toBe(
      'tpm_quote',
    )
  })
})
