import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import {
  ISSUED_AT,
  ISSUER,
  KID,
  POLICY_HASH,
  signingJwk,
  signToken,
  tpmClaims,
} from '../../evidence/token/token-fixture.ts'
import { describeVectors, vectorJson, vectorText } from '../../support/vectors.ts'
import { file, inspect, inspectRefused, inspectVerified, pathOf } from './inspection.ts'

const SHARED = 'https://sharedwus.wus.attest.azure.net'
const ISOLATED = 'https://cpgearamaattestationiso.wus.attest.azure.net'
const AAD = 'https://cpgearamaattestationaad.wus.attest.azure.net'
const AT = ['--at', '2022-11-17T21:00:00Z']

const tokenOf = (name: string) => pathOf(`maa/tokens/${name}.jwt`)
const jwksOf = (provider: string) => [
  '--jwks',
  pathOf(`maa/jwks/jwks-wus-${provider}-2022-11-17.json`),
]
const SIMPLE = 'SimpleAttest-SgxEnclave_Shared--1-POST-attest_SgxEnclave'
const RUNTIME = 'AttestWithRuntimeDataJson-OpenEnclave_Isolated--1-POST-attest_OpenEnclave'
const DRAFT = 'AttestWithDraftPolicy-SgxEnclave_Shared--1-POST-attest_SgxEnclave'

describeVectors('inspect token: real tokens of Azure Attestation', () => {
  test.each([
    [SIMPLE, 'shared', SHARED],
    [RUNTIME, 'isolated', ISOLATED],
  ])('%s is verified, and cannot serve for a device', async (name, provider, issuer) => {
    const finding = await inspectVerified(
      ...['token', tokenOf(name), ...jwksOf(provider), '--issuer', issuer, ...AT],
    )
    const { payload } = vectorJson(`maa/tokens/${name}.decoded.json`)
    expect(finding).toMatchObject({
      kind: 'sgx',
      kind_serves_device: false,
      issuer,
      policy_hash: 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc',
      issued_at: new Date(payload.iat * 1000).toISOString(),
      expires_at: new Date(payload.exp * 1000).toISOString(),
    })
    expect(finding.claims).toEqual(payload)
  })

  test('an unpinned policy is a remark, unless --policy-hash pins it', async () => {
    const args = ['token', tokenOf(SIMPLE), ...jwksOf('shared'), '--issuer', SHARED, ...AT]
    const unpinned = await inspectVerified(...args)
    expect(unpinned.remarks.join()).toContain('not pinned')
    const right = 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'
    const pinned = await inspectVerified(...args, '--policy-hash', right)
    expect(pinned.remarks.join()).not.toContain('not pinned')
    const wrong = '1wKUrF_E0X5CZUM9OMIF1PH3qn5iykWY_bWgBbiWJZ0'
    await inspectRefused('policy_not_pinned', ...args, '--policy-hash', wrong)
  })

  test('the key that the providers share does not make one speak for another', async () => {
    for (const provider of ['shared', 'isolated', 'aad']) {
      for (const issuer of [ISOLATED, AAD]) {
        await inspectRefused(
          'token_issuer_unknown',
          ...['token', tokenOf(SIMPLE), ...jwksOf(provider), '--issuer', issuer, ...AT],
        )
      }
    }
  })

  test('the draft, which is genuine and unsigned, is refused', async () => {
    const finding = await inspectRefused(
      'token_draft',
      ...['token', tokenOf(DRAFT), ...jwksOf('shared'), '--issuer', SHARED, ...AT],
    )
    expect(finding.kind).toBe('sgx')
  })

  test.each([
    ['GetPolicy_AAD_Tpm--1-GET-policies_Tpm', 'aad', AAD],
    ['GetPolicy_Shared_SgxEnclave--1-GET-policies_SgxEnclave', 'shared', SHARED],
    ['GetPolicy_Shared_Tpm--1-GET-policies_Tpm', 'shared', SHARED],
  ])('%s, which attests nothing, is refused', async (name, provider, issuer) => {
    const finding = await inspectRefused(
      'token_policy_answer',
      ...['token', tokenOf(name), ...jwksOf(provider), '--issuer', issuer, ...AT],
    )
    expect(finding).toMatchObject({ kind: 'policy_answer', kind_serves_device: false })
  })

  test('a token with its own certificate in the header is refused by either pin', async () => {
    const forged = pathOf('maa/synthetic/forged-self-asserted-x5c.jwt')
    const args = ['token', forged, ...jwksOf('shared'), ...AT]
    await inspectRefused('token_issuer_unknown', ...args, '--issuer', SHARED)
    const own = 'https://x.wus.attest.azure.net'
    await inspectRefused('token_key_unknown', ...args, '--issuer', own)
  })

  test('time counts: before, after and without --at, which is now', async () => {
    const args = ['token', tokenOf(SIMPLE), ...jwksOf('shared'), '--issuer', SHARED]
    await inspectRefused('token_not_yet_valid', ...args, '--at', '2022-11-17T20:00:00Z')
    await inspectRefused('token_expired', ...args, '--at', '2022-11-18T05:00:00Z')
    await inspectRefused('token_expired', ...args)
  })

  test('one changed character is a broken signature', async () => {
    const jwt = vectorText(`maa/tokens/${SIMPLE}.jwt`).trim()
    const [header, payload, signature = ''] = jwt.split('.')
    const changed = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    const path = file('changed.jwt', changed)
    await inspectRefused(
      'token_signature_invalid',
      ...['token', path, ...jwksOf('shared'), '--issuer', SHARED, ...AT],
    )
  })
})

describe('inspect token: a token of the TPM kind', async () => {
  const jwks = file('jwks.json', JSON.stringify({ keys: [{ ...signingJwk, kid: KID }] }))
  const at = new Date((ISSUED_AT + 60) * 1000).toISOString()
  const trust = ['--jwks', jwks, '--issuer', ISSUER, '--at', at]
  const token = file('tpm.jwt', `${await signToken()}\n`)

  test('can serve for a device, and shows nonce and confirmed key', async () => {
    const finding = await inspectVerified('token', token, ...trust, '--policy-hash', POLICY_HASH)
    expect(finding).toMatchObject({
      kind: 'tpm',
      kind_serves_device: true,
      nonce: 'AQIDBA',
      confirmation_key: expect.stringMatching(/^[\w-]{43}$/),
      remarks: [],
    })
  })

  test('is compared with the nonce that is expected', async () => {
    await inspectVerified('token', token, ...trust, '--nonce', 'AQIDBA')
    await inspectRefused('token_nonce_differs', 'token', token, ...trust, '--nonce', 'AQIDBQ')
    const without = { nonce: undefined, rp_data: undefined }
    const silent = file('silent.jwt', await signToken(tpmClaims(without)))
    await inspectRefused('token_nonce_differs', 'token', silent, ...trust, '--nonce', 'AQIDBA')
  })

  test('reads for people, with control characters of claims made visible', async () => {
    const hostile = file(
      'hostile.jwt',
      await signToken(tpmClaims({ note: 'a\u001b[2Jb\u202ec\nVERIFIED' })),
    )
    const { status, output } = await inspect('token', hostile, ...trust)
    expect(status).toBe(0)
    expect(output.startsWith('VERIFIED\nRemark: the policy is not pinned')).toBe(true)
    expect(output).toContain('tpm: can serve for a device')
    expect(output).toContain('secureBootEnabled')
    expect(output).not.toContain('\u001b')
    expect(output).not.toContain('\u202e')
    expect(output.match(/^VERIFIED/gm)).toHaveLength(1)
  })

  test.each([
    ['nothing', ''],
    ['no token', 'hello'],
    ['binary', Buffer.from([0xff, 0, 1])],
  ])('a file of %s is refused evidence, not a usage error', async (_, content) => {
    await inspectRefused('token_malformed', 'token', file('bad.jwt', content), ...trust)
  })

  test('a file larger than any token is refused', async () => {
    const path = file('large.jwt', Buffer.alloc(20_000_000, 0x61))
    const { status, output } = await inspect('token', path, ...trust)
    expect(output).toMatch(/^REFUSED {2}token_too_large\n/)
    expect(status).toBe(3)
  })

  test.each([
    ['without a file', []],
    ['without a key set', [token, '--issuer', ISSUER]],
    ['without an issuer', [token, '--jwks', jwks]],
    ['with a key set that is none', [token, '--jwks', token, '--issuer', ISSUER]],
    ['with a file that is not there', [`${token}.no`, ...trust]],
    ['with a time that is none', [token, '--jwks', jwks, '--issuer', ISSUER, '--at', 'noon']],
    ['with a nonce that is not base64url', [token, ...trust, '--nonce', '=']],
    ['with an option that is not known', [token, ...trust, '--nonse', 'AQ']],
    ['with two files', [token, token, ...trust]],
  ])('is wrong usage %s', async (_, args) => {
    await expect(inspect('token', ...args)).rejects.toThrow(UsageError)
  })
})
