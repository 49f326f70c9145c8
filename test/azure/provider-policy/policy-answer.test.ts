import { describe, expect, test } from 'vitest'
import {
  readAnswerKid,
  type VerifyPolicyAnswerOptions,
  verifyPolicyAnswer,
} from '../../../src/azure/provider-policy/policy-answer.ts'
import {
  hashPolicyToken,
  readPolicyToken,
} from '../../../src/azure/provider-policy/policy-token.ts'
import { importKeySet, type KeySet } from '../../../src/evidence/jws/key-set.ts'
import { policyHashOf } from '../../../src/evidence/token/attestation-token.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson, vectorText } from '../../support/vectors.ts'
import { verifyToken } from '../../support/verify-token.ts'
import {
  type Claims,
  certificate,
  createFakeProvider,
  EMPTY_POLICY,
  KID,
  keySetOf,
  NOW,
  URL_OF_PROVIDER,
} from '../policy/provider-fixture.ts'

const keys = expectOk(await importKeySet(keySetOf(KID, certificate)))
const { sign } = createFakeProvider()
const GOOD = { 'x-ms-policy': EMPTY_POLICY }

function verify(token: string, change: Partial<VerifyPolicyAnswerOptions> = {}) {
  const options = { issuer: URL_OF_PROVIDER, keys, now: NOW, clockSkewSeconds: 60, ...change }
  return verifyPolicyAnswer(token, options)
}

describe('an answer about a policy', () => {
  test('is believed when the provider signed it', async () => {
    expect(expectOk(await verify(await sign(GOOD)))).toEqual({
      policyToken: EMPTY_POLICY,
      result: undefined,
      policyTokenHash: undefined,
    })
    expect(readAnswerKid(await sign(GOOD))).toBe(KID)
  })

  const seconds = NOW.getTime() / 1000
  const cases: readonly [string, Claims, Claims, string][] = [
    ['another algorithm', GOOD, { alg: 'RS384' }, 'policy_answer_algorithm_refused'],
    ['critical extensions', GOOD, { crit: ['b64'], b64: true }, 'policy_answer_algorithm_refused'],
    [
      'another provider of the region, with the same key',
      { ...GOOD, iss: 'https://evil.eus.attest.azure.net' },
      {},
      'policy_answer_issuer_mismatch',
    ],
    ['no issuer', { ...GOOD, iss: undefined }, {}, 'policy_answer_issuer_mismatch'],
    ['an unknown key', GOOD, { kid: 'x' }, 'policy_answer_key_unknown'],
    ['no key', GOOD, { kid: undefined }, 'policy_answer_key_unknown'],
    [
      'an attestation result',
      { 'x-ms-ver': '1.0', jti: 'x', 'x-ms-policy-hash': 'x' },
      {},
      'policy_answer_not_one',
    ],
    [
      'an attestation result that brings a policy',
      { ...GOOD, 'x-ms-ver': '1.0', jti: 'x' },
      {},
      'policy_answer_not_one',
    ],
    ['an old answer', { ...GOOD, exp: seconds - 60 }, {}, 'policy_answer_expired'],
    ['an answer without an end', { ...GOOD, exp: undefined }, {}, 'policy_answer_expired'],
    ['an end beside all numbers', { ...GOOD, exp: -1 }, {}, 'policy_answer_expired'],
    ['an end by half a second', { ...GOOD, exp: seconds - 60.5 }, {}, 'policy_answer_expired'],
    ['an early answer', { ...GOOD, nbf: seconds + 61 }, {}, 'policy_answer_not_yet_valid'],
    ['no beginning', { ...GOOD, nbf: '0' }, {}, 'policy_answer_not_yet_valid'],
  ]
  test.each(cases)('is refused: %s', async (_, claims, header, reason) => {
    const key = header.alg === 'RS384' ? await rs384Key() : undefined
    const result = await verify(await sign(claims, header, key))
    if (result.ok) expect.unreachable()
    expectRefusal(result, reason as typeof result.failure.reason)
  })

  test('is refused: a changed byte, another signature, no token at all', async () => {
    const token = await sign(GOOD)
    const other = await sign({ ...GOOD, exp: seconds + 10 })
    const swapped = [...token.split('.').slice(0, 2), other.split('.')[2]].join('.')
    expectRefusal(await verify(swapped), 'policy_answer_signature_invalid')
    expectRefusal(await verify('x'), 'policy_answer_malformed')
    expectRefusal(await verify(`${token}.x`), 'policy_answer_malformed')
  })

  test('is refused: signed with a key that is still listed after its certificate ended', async () => {
    const ca = await issueCertificate({ subject: 'PCA', ca: true, key: { kind: 'rsa' } })
    const leaf = await issueCertificate({
      subject: 'leaf',
      issuer: ca,
      key: certificate.keys,
      notAfter: new Date('2025-05-01T00:00:00Z'),
    })
    const chained = expectOk(await importKeySet(keySetOf(KID, leaf, ca)))
    expectRefusal(await verify(await sign(GOOD), { keys: chained }), 'policy_answer_key_expired')
  })
})

async function rs384Key(): Promise<CryptoKey> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' }
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', certificate.keys.privateKey)
  return crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
}

describeVectors('real answers of 2022', () => {
  const now = new Date('2022-11-17T20:30:00Z')
  const issuer = 'https://sharedwus.wus.attest.azure.net'
  const shared = 'maa/jwks/jwks-wus-shared-2022-11-17.json'
  const token = (name: string) => vectorText(`maa/tokens/${name}.jwt`).trim()
  const ofSgx = 'GetPolicy_Shared_SgxEnclave--1-GET-policies_SgxEnclave'
  const ofTpm = 'GetPolicy_Shared_Tpm--1-GET-policies_Tpm'
  const ofAad = 'GetPolicy_AAD_Tpm--1-GET-policies_Tpm'
  const result = 'SimpleAttest-SgxEnclave_Shared--1-POST-attest_SgxEnclave'
  const realKeys = async (): Promise<KeySet> => expectOk(await importKeySet(vectorJson(shared)))

  test('verify, and hold the policy whose hash is in a real attestation result', async () => {
    const options = { issuer, keys: await realKeys(), now }
    const { policyToken = '' } = expectOk(await verify(token(ofSgx), options))
    const stored = readPolicyToken(policyToken)
    expect(stored).toMatchObject({ isSigned: false })
    expect(stored?.text).toMatch(/^version= 1\.1;configurationrules/)
    const { payload } = vectorJson(`maa/tokens/${result}.decoded.json`)
    expect(policyHashOf(stored?.text ?? '')).toBe(payload['x-ms-policy-hash'])
    expect(hashPolicyToken(policyToken)).toMatch(/^[\w-]{43}$/)
  })

  test('of shared providers, and of one that was never given a policy, hold none', async () => {
    const own = 'https://cpgearamaattestationaad.wus.attest.azure.net'
    for (const [name, from] of [
      [ofTpm, issuer],
      [ofAad, own],
    ] as const) {
      const options = { issuer: from, keys: await realKeys(), now }
      const { policyToken = '' } = expectOk(await verify(token(name), options))
      expect(readPolicyToken(policyToken)).toEqual({ text: undefined, isSigned: false })
    }
  })

  test('of one provider are not those of another, though the key is the same', async () => {
    const options = { issuer, keys: await realKeys(), now }
    expectRefusal(await verify(token(ofAad), options), 'policy_answer_issuer_mismatch')
  })

  test('never pass as attestation results, nor these as answers', async () => {
    const keys = await realKeys()
    expectRefusal(await verify(token(result), { issuer, keys, now }), 'policy_answer_not_one')
    const trusting = {
      issuers: [{ issuer, keys, attestationPolicyHashes: 'unpinned' as const }],
      now,
      maxAgeSeconds: 86_400,
      clockSkewSeconds: 60,
    }
    for (const name of [ofSgx, ofTpm]) {
      const verified = await verifyToken(token(name), trusting)
      expectRefusal(verified, 'token_policy_answer')
    }
  })
})
