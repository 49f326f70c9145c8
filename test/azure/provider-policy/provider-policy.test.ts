import type { TokenCredential } from '@azure/identity'
import { decodeProtectedHeader } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { CredentialError } from '../../../src/azure/credential-error.ts'
import { createKeySets } from '../../../src/azure/key-sets.ts'
import {
  createPolicyToken,
  readPolicySigner,
} from '../../../src/azure/provider-policy/policy-token.ts'
import {
  createPolicyProvider,
  type PolicyProvider,
} from '../../../src/azure/provider-policy/provider-policy.ts'
import {
  RECOMMENDED_POLICY,
  RECOMMENDED_POLICY_HASH,
} from '../../../src/azure/provider-policy/recommended.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createFakeProvider,
  type FakeProvider,
  NOW,
  pemOfKey,
  refuse,
  URL_OF_PROVIDER,
} from '../policy/provider-fixture.ts'

/** The real client of Azure, over a provider that answers in this process. */
let fake: FakeProvider
let provider: PolicyProvider
const scopes: unknown[] = []
const credential: TokenCredential = {
  async getToken(asked) {
    scopes.push(asked)
    return { token: 'token of Entra', expiresOnTimestamp: Date.now() + 3_600_000 }
  },
}

function providerWith(
  change: { readonly credential?: TokenCredential; readonly timeoutMs?: number } = {},
): PolicyProvider {
  const clock = () => NOW
  const timeoutMs = change.timeoutMs ?? 2000
  const keySets = createKeySets({
    issuers: [URL_OF_PROVIDER],
    fetch: fake.fetch,
    clock,
    timeoutMs,
  })
  return createPolicyProvider({
    url: URL_OF_PROVIDER,
    credential,
    scope: 'https://attest.azure.us/.default',
    timeoutMs,
    clockSkewSeconds: 60,
    keySets,
    clock,
    fetch: fake.fetch,
    ...change,
  })
}

beforeEach(() => {
  scopes.length = 0
  fake = createFakeProvider()
  provider = providerWith()
})

describe('reading a policy', () => {
  test('gives text and hash, with a token for the configured scope', async () => {
    await fake.setPolicy(RECOMMENDED_POLICY)
    expect(expectOk(await provider.readPolicy())).toEqual({
      text: RECOMMENDED_POLICY,
      hash: RECOMMENDED_POLICY_HASH,
      isSigned: false,
    })
    expect(scopes).toEqual(['https://attest.azure.us/.default'])
    expect(fake.sent.map(({ method, url }) => [method, url])).toEqual([
      ['GET', `${URL_OF_PROVIDER}/policies/Tpm?api-version=2020-10-01`],
      ['GET', `${URL_OF_PROVIDER}/certs`],
    ])
  })

  test('keeps every character of it', async () => {
    const text = '// žluťoučký 🦊\tĸůň\r\nversion=1.0;'
    await fake.setPolicy(text)
    expect(expectOk(await provider.readPolicy()).text).toBe(text)
  })

  test('of a provider that has none gives none', async () => {
    expect(expectOk(await provider.readPolicy())).toMatchObject({
      text: undefined,
      hash: undefined,
    })
  })

  test('an unsigned answer, which the client of Azure believes, is refused', async () => {
    const token = await fake.sign({ 'x-ms-policy': fake.policyToken })
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged = [part({ alg: 'none' }), token.split('.')[1], ''].join('.')
    fake.intercept = ({ url }) =>
      url.includes('/policies/') ? Response.json({ token: forged }) : undefined
    expectRefusal(await provider.readPolicy(), 'policy_answer_algorithm_refused')
  })

  test('an answer signed by the certificate in its own header is refused', async () => {
    const own = await issueCertificate({ subject: 'evil', key: { kind: 'rsa' } })
    const x5c = [Buffer.from(own.der).toString('base64')]
    const claims = { 'x-ms-policy': fake.policyToken }
    const token = await fake.sign(claims, { kid: 'evil', x5c }, own.keys.privateKey)
    fake.intercept = ({ url }) =>
      url.includes('/policies/') ? Response.json({ token }) : undefined
    expectRefusal(await provider.readPolicy(), 'policy_answer_key_unknown')
  })

  test('an answer without a policy, or with something else for one, is refused', async () => {
    fake.bend = { 'x-ms-policy': undefined, 'x-ms-policy-result': 'Updated' }
    expectRefusal(await provider.readPolicy(), 'policy_answer_mismatch')
    fake.bend = { 'x-ms-policy': 'version=1.0;' }
    expectRefusal(await provider.readPolicy(), 'policy_answer_malformed')
  })

  test('without the key set nothing is believed', async () => {
    fake.intercept = ({ url }) => (url.endsWith('/certs') ? refuse(503, 'Down') : undefined)
    expectRefusal(await provider.readPolicy(), 'key_set_unavailable')
  })
})

describe('publishing a policy', () => {
  test('sends the JWS as it is and reads the policy back', async () => {
    const token = await createPolicyToken(RECOMMENDED_POLICY, undefined)
    const published = expectOk(await provider.publishPolicy(token))
    expect(published.hash).toBe(RECOMMENDED_POLICY_HASH)
    const put = fake.sent.find(({ method }) => method === 'PUT')
    expect(put).toMatchObject({
      url: `${URL_OF_PROVIDER}/policies/Tpm?api-version=2020-10-01`,
      body: token,
      authorization: 'Bearer token of Entra',
      contentType: expect.stringMatching(/^text\/plain/),
    })
    expect(token).toMatch(/^eyJhbGciOiJub25lIn0\.[\w-]+\.$/)
  })

  test('signed with the key of a certificate: same text, same hash', async () => {
    const signing = await issueCertificate({ subject: 'signer', key: { kind: 'rsa' } })
    const keyPem = await pemOfKey(signing.keys.privateKey)
    const signer = expectOk(await readPolicySigner({ keyPem, certificatePem: signing.pem }))
    const token = await createPolicyToken(RECOMMENDED_POLICY, signer)
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'RS256',
      x5c: [Buffer.from(signing.der).toString('base64')],
    })
    const { hash, isSigned } = expectOk(await provider.publishPolicy(token))
    expect({ hash, isSigned }).toEqual({ hash: RECOMMENDED_POLICY_HASH, isSigned: true })
  })

  test.each([
    ['another result', { 'x-ms-policy-result': 'Removed' }],
    ['the hash of another policy', { 'x-ms-policy-token-hash': RECOMMENDED_POLICY_HASH }],
    ['no hash', { 'x-ms-policy-token-hash': undefined }],
  ])('is no success with %s in the answer', async (_, bend) => {
    fake.bend = bend
    const token = await createPolicyToken(RECOMMENDED_POLICY, undefined)
    expectRefusal(await provider.publishPolicy(token), 'policy_answer_mismatch')
  })

  test('is no success when the provider then tells another policy', async () => {
    fake.keepsPolicy = false
    const token = await createPolicyToken(RECOMMENDED_POLICY, undefined)
    expectRefusal(await provider.publishPolicy(token), 'policy_answer_mismatch')
  })

  test('is sent once, whatever happens', async () => {
    fake.intercept = ({ method }) => (method === 'PUT' ? refuse(500, 'Oops') : undefined)
    const token = await createPolicyToken(RECOMMENDED_POLICY, undefined)
    expectRefusal(await provider.publishPolicy(token), 'provider_failed')
    expect(fake.sent).toHaveLength(1)
  })
})

describe('a provider that does not answer as it should', () => {
  const cases: readonly [string, FakeProvider['intercept'], string][] = [
    ['refuses', () => refuse(400, 'PolicyParsingError'), 'provider_refused'],
    ['refuses our token', () => refuse(403, 'Forbidden'), 'provider_credential_refused'],
    ['throttles', () => refuse(429, 'Slow', { 'retry-after': '7' }), 'provider_throttled'],
    ['is out of order', () => refuse(503, 'Down'), 'provider_failed'],
    ['has had enough', () => refuse(408, 'Timeout'), 'provider_timed_out'],
    ['redirects', () => Response.redirect('https://evil.example/'), 'provider_answer_malformed'],
    ['speaks HTML', () => new Response('<html>'), 'provider_answer_malformed'],
    ['has no token', () => Response.json({}), 'provider_answer_malformed'],
    ['has no end', () => new Response('x'.repeat(200_000)), 'provider_answer_malformed'],
    ['is not there', () => Promise.reject(new TypeError('fetch failed')), 'provider_unreachable'],
  ]
  test.each(cases)('%s', async (_, intercept, reason) => {
    fake.intercept = intercept
    const result = await provider.readPolicy()
    if (result.ok) expect.unreachable()
    expect(result.failure.reason).toBe(reason)
    expect(JSON.stringify(result)).not.toContain('Enclave')
    expect(fake.sent).toHaveLength(1)
  })

  test('known codes and waiting times are passed on', async () => {
    fake.intercept = () => refuse(429, 'InvalidOperation', { 'retry-after': '7' })
    const failure = expectRefusal(await provider.readPolicy(), 'provider_throttled')
    expect(failure).toMatchObject({ code: 'InvalidOperation', retryAfterSeconds: 7 })
  })

  test('hangs', async () => {
    fake.intercept = () => new Promise(() => {})
    const hanging: typeof fetch = (target, init) =>
      Promise.race([
        fake.fetch(target, init),
        new Promise<never>((_, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
        }),
      ])
    const impatient = createPolicyProvider({
      url: URL_OF_PROVIDER,
      credential,
      scope: 's',
      timeoutMs: 50,
      clockSkewSeconds: 60,
      keySets: createKeySets({
        issuers: [URL_OF_PROVIDER],
        fetch: hanging,
        clock: () => NOW,
        timeoutMs: 50,
      }),
      clock: () => NOW,
      fetch: hanging,
    })
    expectRefusal(await impatient.readPolicy(), 'provider_timed_out')
  })
})

test('without a token of Entra the provider is not asked', async () => {
  const refused = new CredentialError({ reason: 'provider_unreachable' })
  for (const [getToken, reason] of [
    [() => Promise.reject(refused), 'provider_unreachable'],
    [() => Promise.reject(new Error('secret')), 'provider_credential_refused'],
    [() => Promise.resolve(null), 'provider_credential_refused'],
  ] as const) {
    const result = await providerWith({ credential: { getToken } }).readPolicy()
    if (result.ok) expect.unreachable()
    expect(result.failure).toEqual({ reason })
  }
  expect(fake.sent).toEqual([])
})
