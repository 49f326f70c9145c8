import { expect, test } from 'vitest'
import { toUtf8 } from '../../../src/base/encoding.ts'
import { importKeySet } from '../../../src/evidence/jws/key-set.ts'
import {
  asAttestationPolicyHash,
  policyHashOf,
  type TokenIssuer,
} from '../../../src/evidence/token/attestation-token.ts'
import {
  canServeDevice,
  decodeAttestationToken,
  kindOfAttestationToken,
} from '../../../src/evidence/token/attestation-token-kind.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson, vectorText } from '../../support/vectors.ts'
import { verifyToken } from '../../support/verify-token.ts'

describeVectors('real tokens of Azure Attestation', () => {
  const SHARED = 'https://sharedwus.wus.attest.azure.net'
  const ISOLATED = 'https://cpgearamaattestationiso.wus.attest.azure.net'
  const AAD = 'https://cpgearamaattestationaad.wus.attest.azure.net'
  const POLICY = asAttestationPolicyHash('ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc')
  const ON_THE_DAY = new Date('2022-11-17T20:30:00Z')

  const read = (name: string) => vectorText(`maa/tokens/${name}.jwt`).trim()
  const sgxShared = 'SimpleAttest-SgxEnclave_Shared--1-POST-attest_SgxEnclave'
  const sgxIsolated = 'AttestWithRuntimeDataJson-OpenEnclave_Isolated--1-POST-attest_OpenEnclave'

  async function provider(
    issuer: string,
    set: 'shared' | 'isolated' | 'aad',
    attestationPolicyHashes: TokenIssuer['attestationPolicyHashes'] = [POLICY],
  ): Promise<TokenIssuer> {
    const json = vectorJson(`maa/jwks/jwks-wus-${set}-2022-11-17.json`)
    return { issuer, keys: expectOk(await importKeySet(json)), attestationPolicyHashes }
  }

  const verifyReal = (name: string, ...issuers: TokenIssuer[]) =>
    verifyToken(read(name), {
      issuers,
      now: ON_THE_DAY,
      maxAgeSeconds: 3_600,
      clockSkewSeconds: 60,
    })

  test('SGX tokens are sound tokens, but speak of no device', async () => {
    for (const [name, issuer] of [
      [sgxShared, await provider(SHARED, 'shared')],
      [sgxIsolated, await provider(ISOLATED, 'isolated')],
    ] as const) {
      const token = expectOk(await verifyReal(name, issuer))
      expect(token).toMatchObject({ attestationType: 'sgx', attestationPolicyHash: POLICY })
      expect(token.confirmation).toBeUndefined()
      expect(canServeDevice(kindOfAttestationToken(token.payload))).toBe(false)
    }
  })

  test('a draft is refused', async () => {
    const name = 'AttestWithDraftPolicy-SgxEnclave_Shared--1-POST-attest_SgxEnclave'
    expectRefusal(await verifyReal(name, await provider(SHARED, 'shared')), 'token_draft')
  })

  test.each([
    ['GetPolicy_Shared_SgxEnclave--1-GET-policies_SgxEnclave', SHARED, 'shared'],
    ['GetPolicy_Shared_Tpm--1-GET-policies_Tpm', SHARED, 'shared'],
    ['GetPolicy_AAD_Tpm--1-GET-policies_Tpm', AAD, 'aad'],
  ] as const)('%s is validly signed and refused', async (name, issuer, set) => {
    const trust = await provider(issuer, set, 'unpinned')
    expectRefusal(await verifyReal(name, trust), 'token_policy_answer')
  })

  test("another provider's token is refused although our provider's key verifies it", async () => {
    const ours = await provider(SHARED, 'shared')
    expectRefusal(await verifyReal(sgxIsolated, ours), 'token_issuer_unknown')
    // The proof that only the pin stands in the way: same token, same keys, the pin moved.
    expectOk(await verifyReal(sgxIsolated, { ...ours, issuer: ISOLATED }))
  })

  test('a token that vouches for itself is refused', async () => {
    const jwt = vectorText('maa/synthetic/forged-self-asserted-x5c.jwt').trim()
    const trust = await provider('https://x.wus.attest.azure.net', 'shared', 'unpinned')
    const options = { issuers: [trust], now: ON_THE_DAY, maxAgeSeconds: 1e9, clockSkewSeconds: 60 }
    expectRefusal(await verifyToken(jwt, options), 'token_key_unknown')
  })

  test('a token is refused before its time and after it', async () => {
    const issuers = [await provider(SHARED, 'shared')]
    const options = { issuers, maxAgeSeconds: 1e9, clockSkewSeconds: 60 }
    const on = (text: string) => verifyToken(read(sgxShared), { ...options, now: new Date(text) })
    expectRefusal(await on('2022-11-17T00:00:00Z'), 'token_not_yet_valid')
    expectRefusal(await on('2022-11-18T12:00:00Z'), 'token_expired')
  })

  test('the policy hash names the policy under which a token was issued', () => {
    const answer = expectOk(
      decodeAttestationToken(read('GetPolicy_Shared_SgxEnclave--1-GET-policies_SgxEnclave')),
    )
    const [, body = ''] = String(answer.payload['x-ms-policy']).split('.')
    const { AttestationPolicy } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))
    const policy = Buffer.from(AttestationPolicy, 'base64url').toString('utf8')
    expect(policyHashOf(policy)).toBe(POLICY)
    const token = expectOk(decodeAttestationToken(read(sgxShared)))
    expect(token.payload['x-ms-policy-hash']).toBe(POLICY)
    expect(toUtf8(policy).length).toBeGreaterThan(100)
  })

  test('the TPM token of the documentation is of the kind that serves devices', () => {
    const sample = vectorJson('maa/docs-samples/tpm-token-healthattestation-csp.decoded.json')
    expect(kindOfAttestationToken(sample.payload)).toBe('tpm')
  })
})
