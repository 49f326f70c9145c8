import { compactVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  createPolicyToken,
  hashPolicyToken,
  readPolicySigner,
  readPolicyToken,
} from '../../../src/azure/provider-policy/policy-token.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { certificate, EMPTY_POLICY, pemOfKey } from '../policy/provider-fixture.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const wrapped = (text: string) =>
  part({ AttestationPolicy: Buffer.from(text).toString('base64url') })

describe('the JWS of a policy', () => {
  test('is unsigned in the one form that Azure documents', async () => {
    const token = await createPolicyToken('version=1.2;', undefined)
    expect(token).toBe(
      'eyJhbGciOiJub25lIn0.eyJBdHRlc3RhdGlvblBvbGljeSI6ImRtVnljMmx2YmoweExqSTcifQ.',
    )
    expect(readPolicyToken(token)).toEqual({ text: 'version=1.2;', isSigned: false })
    expect(hashPolicyToken(token)).toBe('EdOTi-QEMCMruycbLLW6rdPaNSsTe_2QkqLLM7jks-o')
  })

  test('is signed by the key of a certificate', async () => {
    const keyPem = await pemOfKey(certificate.keys.privateKey)
    const signer = expectOk(await readPolicySigner({ keyPem, certificatePem: certificate.pem }))
    const token = await createPolicyToken('version=1.2;', signer)
    await expect(compactVerify(token, certificate.keys.publicKey)).resolves.toBeDefined()
    expect(readPolicyToken(token)).toEqual({ text: 'version=1.2;', isSigned: true })
  })

  test('may be empty', () => {
    expect(readPolicyToken(EMPTY_POLICY)).toEqual({ text: undefined, isSigned: false })
    const empty = `${part({ alg: 'none' })}.${wrapped('')}.`
    expect(readPolicyToken(empty)).toEqual({ text: undefined, isSigned: false })
  })

  test.each([
    ['two parts', `${part({ alg: 'none' })}.${wrapped('x')}`],
    ['four parts', `${part({ alg: 'none' })}.${wrapped('x')}..`],
    ['a header that is no object', `${part('none')}.${wrapped('x')}.`],
    ['a signature of nothing', `${part({ alg: 'none' })}.${wrapped('x')}.AAAA`],
    ['no signature', `${part({ alg: 'RS256' })}.${wrapped('x')}.`],
    ['no policy', `${part({ alg: 'none' })}.${part({})}.`],
    ['a policy in the clear', `${part({ alg: 'none' })}.${part({ AttestationPolicy: '=>' })}.`],
    ['a policy that is no text', `${part({ alg: 'none' })}.${part({ AttestationPolicy: '_w' })}.`],
    [
      'two policies',
      `${part({ alg: 'none' })}.${Buffer.from('{"AttestationPolicy":"eA","AttestationPolicy":"eQ"}').toString('base64url')}.`,
    ],
    ['nothing', ''],
  ])('is not: %s', (_, token) => {
    expect(readPolicyToken(token)).toBeUndefined()
  })
})

describe('the signer of policies', () => {
  test.each([
    ['a key of another kind', 'ec'],
    ['the key of another certificate', 'rsa'],
  ] as const)('is not usable with %s', async (_, kind) => {
    const other = await issueCertificate({ subject: 'other', key: { kind } })
    const keyPem = await pemOfKey(other.keys.privateKey)
    const signer = await readPolicySigner({ keyPem, certificatePem: certificate.pem })
    expectRefusal(signer, 'policy_signer_unusable')
  })

  test('is not usable without a key or a certificate', async () => {
    const keyPem = await pemOfKey(certificate.keys.privateKey)
    for (const [key, pem] of [
      ['', certificate.pem],
      [certificate.pem, certificate.pem],
      [keyPem, ''],
      [keyPem, keyPem],
    ] as const) {
      const signer = await readPolicySigner({ keyPem: key, certificatePem: pem })
      expectRefusal(signer, 'policy_signer_unusable')
    }
  })
})
