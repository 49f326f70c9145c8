import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ATTESTATION_TOKEN_REASONS,
  asAttestationPolicyHash,
  policyHashOf,
  type TokenIssuer,
  type VerifyTokenOptions,
} from '../../../src/evidence/token/attestation-token.ts'
import {
  canServeDevice,
  decodeAttestationToken,
  kindOfAttestationToken,
} from '../../../src/evidence/token/attestation-token-kind.ts'
import { issueChain, makeKeyPair } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { verifyToken } from '../../support/verify-token.ts'
import {
  type Claims,
  confirmationJwk,
  ISSUED_AT,
  ISSUER,
  KID,
  keySetOf,
  POLICY_HASH,
  part,
  signingJwk,
  signingKeys,
  signToken,
  tpmClaims,
} from './token-fixture.ts'

const trusted: TokenIssuer = {
  issuer: ISSUER,
  keys: await keySetOf({ ...signingJwk, kid: KID }),
  attestationPolicyHashes: [asAttestationPolicyHash('another'), POLICY_HASH],
}
const at = (seconds: number) => ({ now: new Date((ISSUED_AT + seconds) * 1000) })
const settings: VerifyTokenOptions = {
  issuers: [trusted],
  ...at(60),
  maxAgeSeconds: 600,
  clockSkewSeconds: 30,
}

const verify = (jwt: string, change: Partial<VerifyTokenOptions> = {}) =>
  verifyToken(jwt, { ...settings, ...change })
const verifyClaims = async (change: Claims, options: Partial<VerifyTokenOptions> = {}) =>
  verify(await signToken(tpmClaims(change)), options)

describe('an attestation token is accepted', () => {
  test('with everything that later rooms need', async () => {
    const token = expectOk(await verify(await signToken()))
    expect(token).toMatchObject({ issuer: ISSUER, attestationPolicyHash: POLICY_HASH })
    expect(token.nonce).toEqual(Buffer.from([1, 2, 3, 4]))
    expect(token.confirmation?.jwk).toEqual(confirmationJwk)
    expect(token.confirmation?.thumbprint).toMatch(/^[\w-]{43}$/)
    expect(token.issuedAt).toEqual(new Date(ISSUED_AT * 1000))
    expect(token.expiresAt).toEqual(new Date((ISSUED_AT + 28_800) * 1000))
    expect(token.attestationType).toBeUndefined()
    expect(token.payload.secureBootEnabled).toBe(true)
    expect(Object.isFrozen(token.payload)).toBe(true)
  })

  test('without nonce and confirmation key, which it is for others to require', async () => {
    const change = { nonce: undefined, rp_data: undefined, cnf: undefined }
    const token = expectOk(await verifyClaims(change))
    expect(token.nonce).toBeUndefined()
    expect(token.confirmation).toBeUndefined()
  })

  test('with its nonce under either of its two names', async () => {
    for (const change of [{ nonce: undefined }, { rp_data: undefined }]) {
      expect(expectOk(await verifyClaims(change)).nonce).toEqual(Buffer.from([1, 2, 3, 4]))
    }
  })

  test('with a P-256 confirmation key', async () => {
    const { publicKey } = await makeKeyPair({ kind: 'ec' })
    const jwk = await crypto.subtle.exportKey('jwk', publicKey)
    expect(expectOk(await verifyClaims({ cnf: { jwk } })).confirmation?.jwk.kty).toBe('EC')
  })

  test('within the clock skew at either end', async () => {
    const long = { maxAgeSeconds: 100_000 }
    expectOk(await verify(await signToken(), { ...long, ...at(28_829) }))
    expectOk(await verify(await signToken(), { ...long, ...at(-30) }))
  })
})

describe('an attestation token is refused by its form', () => {
  test('when it is larger than any real one', async () => {
    expectRefusal(await verify('a'.repeat(65_537)), 'token_too_large')
  })

  test.each([
    ['nothing', ''],
    ['two parts', `${part('{}')}.${part('{}')}`],
    ['four parts', `${part('{}')}.${part('{}')}.AA.AA`],
    ['five parts, as encrypted tokens have', `${part('{}')}.${part('{}')}.AA.AA.AA`],
    ['padding', `${part('{}')}=.${part('{}')}.AA`],
    ['a header that is not JSON', `${part('{')}.${part('{}')}.AA`],
    ['a header that is an array', `${part('[]')}.${part('{}')}.AA`],
    ['a payload that is null', `${part('{}')}.${part('null')}.AA`],
    [
      'a payload that is not UTF-8',
      `${part('{}')}.${Buffer.from([0x22, 0xff]).toString('base64url')}.AA`,
    ],
    ['a signature that is not base64url', `${part('{}')}.${part('{}')}.A+`],
    ['a member of the prototype', `${part('{"__proto__":{"alg":"RS256"}}')}.${part('{}')}.AA`],
    [
      'a header too deep to walk by recursion',
      `${part(`{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`)}.${part('{')}.AA`,
    ],
    [
      'more values than any real token',
      `${part(`{"a":[${'1,'.repeat(9_000)}1]}`)}.${part('{}')}.AA`,
    ],
  ])('when it is %s', async (_, jwt) => {
    expectRefusal(await verify(jwt), 'token_malformed')
  })

  test('when a member is written twice, whatever the signer meant', async () => {
    const text = JSON.stringify(tpmClaims())
    const twice = text.replace('{', `{"iss":"https://evil.example",`)
    expectRefusal(await verify(await signToken(twice)), 'token_malformed')
    const escaped = text.replace('{', String.raw`{"\u0069ss":"https://evil.example",`)
    expectRefusal(await verify(await signToken(escaped)), 'token_malformed')
    const nested = text.replace('"cnf":{', '"cnf":{"jwk":{},')
    expectRefusal(await verify(await signToken(nested)), 'token_malformed')
  })

  test('colons and quotation marks inside of texts confuse nobody', async () => {
    expectOk(await verifyClaims({ odd: 'a:"b":\\"{:}', 'a:b': [':', { ':': null }] }))
  })

  test('when it is a draft without signature', async () => {
    const header = part(JSON.stringify({ alg: 'none', typ: 'JWT', kid: KID }))
    const jwt = `${header}.${part(JSON.stringify(tpmClaims()))}.`
    expectRefusal(await verify(jwt), 'token_draft')
  })

  test('when its signature was cut off', async () => {
    const jwt = await signToken()
    expectRefusal(await verify(jwt.slice(0, jwt.lastIndexOf('.') + 1)), 'token_signature_invalid')
  })

  test.each(['None', 'NONE', 'HS256', 'PS256', 'RS512', 'ES256', 'rs256', '', 5, undefined])(
    'when its algorithm is %s',
    async (alg) => {
      const header = part(JSON.stringify({ alg, typ: 'JWT', kid: KID }))
      const jwt = `${header}.${part(JSON.stringify(tpmClaims()))}.AAAA`
      expectRefusal(await verify(jwt), 'token_algorithm_refused')
    },
  )

  test('when the public key was used as the secret of an HMAC', async () => {
    const spki = await crypto.subtle.exportKey('spki', signingKeys.publicKey)
    const algorithm = { name: 'HMAC', hash: 'SHA-256' }
    const secret = await crypto.subtle.importKey('raw', spki, algorithm, false, ['sign'])
    const jwt = await signToken(tpmClaims(), { alg: 'HS256' }, secret)
    expectRefusal(await verify(jwt), 'token_algorithm_refused')
  })

  test.each(['dpop+jwt', 'countersign-device+jwt', 'at+jwt', 'attReq', '', undefined])(
    'when its type is %s',
    async (typ) => {
      const header = JSON.stringify({ alg: 'RS256', typ, kid: KID })
      const jwt = `${part(header)}.${part(JSON.stringify(tpmClaims()))}.AAAA`
      expectRefusal(await verify(jwt), 'token_type_refused')
    },
  )

  test('when it has critical headers', async () => {
    const header = JSON.stringify({ alg: 'RS256', typ: 'JWT', kid: KID, crit: ['b64'], b64: false })
    const jwt = `${part(header)}.${part(JSON.stringify(tpmClaims()))}.AAAA`
    expectRefusal(await verify(jwt), 'token_critical_header')
  })
})

describe('an attestation token is refused by its origin', () => {
  test.each([
    'https://evil.eus.attest.azure.net',
    `${ISSUER}/`,
    ISSUER.toUpperCase(),
    `${ISSUER}.evil.example`,
    undefined,
    { toString: 1 },
    [ISSUER],
  ])('when its issuer is %j', async (iss) => {
    expectRefusal(await verifyClaims({ iss }), 'token_issuer_unknown')
  })

  test('when no issuer is configured', async () => {
    expectRefusal(await verify(await signToken(), { issuers: [] }), 'token_issuer_unknown')
  })

  test.each([undefined, 'another', 5, '__proto__', ['signing-key-1']])(
    'when its key is called %j',
    async (kid) => {
      const header = part(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid }))
      const jwt = `${header}.${part(JSON.stringify(tpmClaims()))}.AAAA`
      expectRefusal(await verify(jwt), 'token_key_unknown')
    },
  )

  test("when its key belongs to another configured issuer's set", async () => {
    const keys = await makeKeyPair({ kind: 'rsa' })
    const jwk = await crypto.subtle.exportKey('jwk', keys.publicKey)
    const other: TokenIssuer = {
      issuer: 'https://other.example',
      keys: await keySetOf({ ...jwk, kid: 'theirs' }),
      attestationPolicyHashes: [POLICY_HASH],
    }
    const jwt = await signToken(tpmClaims(), { kid: 'theirs' }, keys.privateKey)
    expectRefusal(await verify(jwt, { issuers: [trusted, other] }), 'token_key_unknown')
  })

  test('when it brings its own key along in the header', async () => {
    const attacker = await makeKeyPair({ kind: 'rsa' })
    const jwk = await crypto.subtle.exportKey('jwk', attacker.publicKey)
    const { leaf } = await issueChain({ key: attacker })
    const certificates = [Buffer.from(leaf.der).toString('base64')]
    for (const own of [{ jwk }, { x5c: certificates }, { jku: 'https://evil.example/certs' }]) {
      const jwt = await signToken(tpmClaims(), own, attacker.privateKey)
      expectRefusal(await verify(jwt), 'token_signature_invalid')
      const renamed = await signToken(tpmClaims(), { ...own, kid: 'mine' }, attacker.privateKey)
      expectRefusal(await verify(renamed), 'token_key_unknown')
    }
  })

  test('when a claim was changed on the way', async () => {
    const [header, , signature] = (await signToken(tpmClaims({ secureBootEnabled: false }))).split(
      '.',
    )
    const forged = `${header}.${part(JSON.stringify(tpmClaims()))}.${signature}`
    expectRefusal(await verify(forged), 'token_signature_invalid')
  })
})

const chain = await issueChain({
  key: { kind: 'rsa' },
  notAfter: new Date('2025-01-02T00:00:00Z'),
})
const x5c = [chain.leaf, chain.intermediate, chain.root].map(({ der }) =>
  Buffer.from(der).toString('base64'),
)

describe('an attestation token is refused by its signing certificate', () => {
  const issuer = async (certificates: string[]): Promise<TokenIssuer> => ({
    ...trusted,
    keys: await keySetOf({ kid: KID, kty: 'RSA', x5c: certificates }),
  })
  const day = 86_400
  const sign = (iat: number) =>
    signToken(tpmClaims({ iat, nbf: iat, exp: iat + day }), {}, chain.leaf.keys.privateKey)

  test('when it has expired although it is still listed', async () => {
    const jwt = await sign(ISSUED_AT + 2 * day)
    const options = { issuers: [await issuer(x5c)], ...at(2 * day) }
    expectRefusal(await verify(jwt, options), 'token_key_expired')
    expectOk(await verify(await sign(ISSUED_AT), { issuers: [await issuer(x5c)] }))
  })

  test('when it is not yet valid', async () => {
    const jwt = await sign(ISSUED_AT - 500 * day)
    const options = { issuers: [await issuer(x5c)], ...at(-500 * day) }
    expectRefusal(await verify(jwt, options), 'token_key_not_yet_valid')
  })

  test('but not by the dates of a certificate that stands alone', async () => {
    const jwt = await sign(ISSUED_AT + 2 * day)
    expectOk(await verify(jwt, { issuers: [await issuer(x5c.slice(0, 1))], ...at(2 * day) }))
  })
})

describe('an attestation token is refused by its claims', () => {
  test.each([
    { 'x-ms-policy-result': 'Updated' },
    { 'x-ms-policy-token-hash': 'abc' },
    { 'x-ms-policy-certificates': {} },
    { jti: undefined, 'x-ms-policy': 'eyJhbGciOiJub25lIn0..' },
  ])('when it answers a question about policies: %j', async (change) => {
    expectRefusal(await verifyClaims(change), 'token_policy_answer')
  })

  test.each([undefined, '2.0', 1, '1.0 '])('when its version is %j', async (version) => {
    expectRefusal(await verifyClaims({ 'x-ms-ver': version }), 'token_version_refused')
  })

  test.each([
    { jti: undefined },
    { jti: '' },
    { jti: 'x'.repeat(257) },
    { iat: undefined },
    { nbf: undefined },
    { exp: undefined },
    { exp: '9999999999' },
    { exp: 1e300 },
    { iat: -1 },
    { nbf: null },
    { exp: 253_402_300_800 },
    { 'x-ms-attestation-type': ['sgx'] },
  ])('when a claim it must have is missing or odd: %j', async (change) => {
    expectRefusal(await verifyClaims(change), 'token_claims_malformed')
  })

  test('when a time is beyond all numbers, which JSON can write: 1e400', async () => {
    const text = JSON.stringify(tpmClaims({ exp: 1 })).replace('"exp":1', '"exp":1e400')
    expectRefusal(await verify(await signToken(text)), 'token_claims_malformed')
  })

  test('to the fraction of a second: RFC 7519 §2', async () => {
    const part = { iat: ISSUED_AT + 0.25, nbf: ISSUED_AT + 0.25, exp: ISSUED_AT + 60.75 }
    const exact = (seconds: number) => ({ ...at(seconds), clockSkewSeconds: 0 })
    const token = expectOk(await verifyClaims(part, exact(60.5)))
    expect(token.issuedAt).toEqual(new Date(ISSUED_AT * 1000 + 250))
    expect(token.expiresAt).toEqual(new Date(ISSUED_AT * 1000 + 60_750))
    expectRefusal(await verifyClaims(part, exact(60.75)), 'token_expired')
    expectRefusal(await verifyClaims(part, exact(0)), 'token_not_yet_valid')
    const issued = { ...part, nbf: ISSUED_AT }
    expectRefusal(await verifyClaims(issued, exact(0)), 'token_issued_in_future')
    const whole = JSON.stringify(tpmClaims({ iat: 1 })).replace('"iat":1', '"iat":1.7356896E9')
    expectOk(await verify(await signToken(whole)))
  })

  test.each([undefined, '', 5])('when its policy hash is %j', async (hash) => {
    expectRefusal(await verifyClaims({ 'x-ms-policy-hash': hash }), 'token_policy_missing')
  })

  test("when an attacker's own policy made it", async () => {
    const change = { 'x-ms-policy-hash': policyHashOf('=> permit()') }
    const failure = expectRefusal(await verifyClaims(change), 'policy_not_pinned')
    expect(failure.detail).toBe(policyHashOf('=> permit()'))
    const unpinned: TokenIssuer = { ...trusted, attestationPolicyHashes: 'unpinned' }
    expectOk(await verifyClaims(change, { issuers: [unpinned] }))
  })

  test('when no policy is pinned at all: an empty list is never a pass', async () => {
    const empty: TokenIssuer = { ...trusted, attestationPolicyHashes: [] }
    expectRefusal(await verify(await signToken(), { issuers: [empty] }), 'policy_not_pinned')
  })

  test('when its time has run out or not come', async () => {
    const long = { maxAgeSeconds: 100_000 }
    const jwt = await signToken()
    expectRefusal(await verify(jwt, { ...long, ...at(28_830) }), 'token_expired')
    expectRefusal(await verify(jwt, { ...long, ...at(-331) }), 'token_not_yet_valid')
    expectRefusal(await verify(jwt, { ...long, ...at(-31) }), 'token_issued_in_future')
  })

  test('when it is older than we allow, though its issuer gave it a year', async () => {
    const jwt = await signToken(tpmClaims({ exp: ISSUED_AT + 31_536_000 }))
    expectOk(await verify(jwt, at(630)))
    expectRefusal(await verify(jwt, at(631)), 'token_too_old')
  })

  test('when the clock or an option is no number', async () => {
    const jwt = await signToken()
    expectRefusal(await verify(jwt, { now: new Date(Number.NaN) }), 'token_expired')
    expectRefusal(await verify(jwt, { maxAgeSeconds: Number.NaN }), 'token_too_old')
  })

  test.each([5, null, 'not base64url!', 'A', 'A'.repeat(5_000), ['AQIDBA']])(
    'when its nonce is %j',
    async (value) => {
      expectRefusal(await verifyClaims({ nonce: value }), 'token_nonce_malformed')
      expectRefusal(await verifyClaims({ rp_data: value }), 'token_nonce_malformed')
    },
  )

  test('when it names two nonces', async () => {
    expectRefusal(await verifyClaims({ nonce: 'BAMCAQ' }), 'token_nonce_mismatch')
    expectRefusal(await verifyClaims({ nonce: '' }), 'token_nonce_mismatch')
  })

  test.each([
    ['null', null],
    ['an array', []],
    ['a thumbprint', { jkt: 'abc' }],
    ['a key with its private half', { jwk: { ...confirmationJwk, d: 'AQAB' } }],
    ['a symmetric key', { jwk: { kty: 'oct', k: 'AQAB' } }],
    ['an exponent of 1', { jwk: { ...confirmationJwk, e: 'AQ' } }],
    ['a P-384 key', { jwk: { kty: 'EC', crv: 'P-384', x: 'A'.repeat(64), y: 'A'.repeat(64) } }],
    ['a short coordinate', { jwk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'A'.repeat(43) } }],
    [
      'a coordinate in a second spelling',
      { jwk: { kty: 'EC', crv: 'P-256', x: `${'A'.repeat(42)}B`, y: 'A'.repeat(43) } },
    ],
  ])('when its confirmation key is %s', async (_, cnf) => {
    expectRefusal(await verifyClaims({ cnf }), 'token_confirmation_malformed')
  })

  test('when its confirmation key has 1024 bits', async () => {
    const { publicKey } = await makeKeyPair({ kind: 'rsa', bits: 1024 })
    const jwk = await crypto.subtle.exportKey('jwk', publicKey)
    expectRefusal(await verifyClaims({ cnf: { jwk } }), 'token_confirmation_malformed')
  })
})

const genuine = await signToken()

describe('property', () => {
  test('a token with any one character changed is refused for a declared reason', async () => {
    const change = fc.tuple(fc.nat(genuine.length - 1), fc.constantFrom(...'AZaz09-_.='))
    await fc.assert(
      fc.asyncProperty(change, async ([position, character]) => {
        const jwt = genuine.slice(0, position) + character + genuine.slice(position + 1)
        const result = await verify(jwt)
        // The last character of base64url has bits that stand for nothing.
        if (jwt === genuine || position === genuine.length - 1) return
        expect(result.ok).toBe(false)
        if (!result.ok) expect(ATTESTATION_TOKEN_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 300 },
    )
  })

  test('arbitrary headers and payloads never throw and never pass', async () => {
    const member = fc.constantFrom('alg', 'typ', 'kid', 'iss', 'exp', 'crit', 'x', '__proto__')
    const object = fc.dictionary(
      member,
      fc.oneof(fc.jsonValue(), fc.constantFrom('RS256', 'JWT', KID, ISSUER)),
    )
    await fc.assert(
      fc.asyncProperty(object, object, fc.base64String(), async (header, payload, tail) => {
        const jwt = `${part(JSON.stringify(header))}.${part(JSON.stringify(payload))}.${tail}`
        expect((await verify(jwt)).ok).toBe(false)
        expect((await verify(tail)).ok).toBe(false)
      }),
    )
  })
})

describe('the kind of a token', () => {
  test.each([
    ['tpm', { 'x-ms-ver': '1.0' }, true],
    ['sgx', { 'x-ms-ver': '1.0', 'x-ms-attestation-type': 'sgx' }, false],
    ['sevsnpvm', { 'x-ms-ver': '1.0', 'x-ms-attestation-type': 'sevsnpvm' }, false],
    ['tdxvm', { 'x-ms-ver': '1.0', 'x-ms-attestation-type': 'tdxvm' }, false],
    ['azurevm', { 'x-ms-ver': '1.0', 'x-ms-attestation-type': 'azurevm' }, false],
    ['policy_answer', { 'x-ms-policy': 'eyJhbGciOiJub25lIn0..' }, false],
    ['unknown', { 'x-ms-ver': '1.0', 'x-ms-attestation-type': 'toaster' }, false],
    ['unknown', {}, false],
  ] as const)('%s', (kind, payload, serves) => {
    expect(kindOfAttestationToken(payload)).toBe(kind)
    expect(canServeDevice(kind)).toBe(serves)
  })

  test('is told without any trust', () => {
    const jwt = `${part('{"alg":"none"}')}.${part('{"x-ms-ver":"1.0"}')}.`
    expect(expectOk(decodeAttestationToken(jwt)).kind).toBe('tpm')
    expectRefusal(decodeAttestationToken('x'), 'token_malformed')
  })
})
