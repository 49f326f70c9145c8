import fc from 'fast-check'
import { CompactSign, calculateJwkThumbprint, exportJWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { toUtf8 } from '../../../src/base/encoding.ts'
import {
  PROOF_REASONS,
  type ProofExpectation,
  verifyConfirmationProof,
} from '../../../src/evidence/jws/confirmation.ts'
import {
  type ConfirmationKey,
  readConfirmationKey,
} from '../../../src/evidence/jws/confirmation-key.ts'
import { makeKeyPair } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import { part } from '../token/token-fixture.ts'

const URL_OF_US = 'https://countersign.example/v1/attestations'
const NOW = 1_735_689_600
const NONCE = 'c2VhbGVkIG5vbmNl'

type Members = Record<string, unknown>

const rsa = await makeKeyPair({ kind: 'rsa' })
const ec = await makeKeyPair({ kind: 'ec' })
const rsaJwk = await exportJWK(rsa.publicKey)
const ecJwk = await exportJWK(ec.publicKey)

/** The key of a `cnf` claim. */
function keyOf(jwk: unknown): ConfirmationKey {
  const key = readConfirmationKey(jwk)
  if (key === undefined) throw new TypeError('no key that a device can prove')
  return key
}

const claims = (change: Members = {}): Members => ({
  jti: 'proof-1',
  htm: 'POST',
  htu: URL_OF_US,
  iat: NOW,
  nonce: NONCE,
  ...change,
})

function makeProof(
  payload: Members = claims(),
  header: Members = {},
  key: CryptoKey = rsa.privateKey,
): Promise<string> {
  return new CompactSign(toUtf8(JSON.stringify(payload)))
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'RS256', jwk: rsaJwk, ...header })
    .sign(key)
}

/** A proof whose header and payload are as given, with a signature that is none. */
const unsigned = (header: Members, payload: Members = claims()) =>
  `${part(JSON.stringify({ typ: 'dpop+jwt', alg: 'RS256', jwk: rsaJwk, ...header }))}.${part(JSON.stringify(payload))}.AAAA`

const verify = (proof: string, change: Partial<ProofExpectation> = {}) =>
  verifyConfirmationProof({
    proof,
    confirmation: keyOf(rsaJwk),
    method: 'POST',
    url: URL_OF_US,
    nonce: NONCE,
    now: new Date(NOW * 1000),
    maxAgeSeconds: 60,
    clockSkewSeconds: 10,
    ...change,
  })

describe('a proof of the attested key is accepted', () => {
  test('by RSA with PKCS #1 padding', async () => {
    expect(expectOk(await verify(await makeProof()))).toEqual({
      jti: 'proof-1',
      thumbprint: await calculateJwkThumbprint(rsaJwk),
    })
  })

  test('by the same RSA key with PSS padding', async () => {
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', rsa.privateKey)
    const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' }
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
    expectOk(await verify(await makeProof(claims(), { alg: 'PS256' }, key)))
  })

  test('by a P-256 key', async () => {
    const proof = await makeProof(claims(), { alg: 'ES256', jwk: ecJwk }, ec.privateKey)
    expectOk(await verify(proof, { confirmation: keyOf(ecJwk) }))
  })

  test('when the key is written with what does not make it another key', async () => {
    expectOk(await verify(await makeProof(claims(), { jwk: { ...rsaJwk, kid: 'x', use: 'sig' } })))
  })

  test.each([
    `${URL_OF_US}?retry=1`,
    `${URL_OF_US}#top`,
    'HTTPS://COUNTERSIGN.example:443/v1/attestations',
    'https://countersign.example/v1/../v1/attestations',
    'https://countersign.example/%76%31/%61ttestations',
  ])('when its address is written %s', async (htu) => {
    expectOk(await verify(await makeProof(claims({ htu }))))
  })

  test('at the ends of its window', async () => {
    expectOk(await verify(await makeProof(claims({ iat: NOW + 10 }))))
    expectOk(await verify(await makeProof(claims({ iat: NOW - 70 }))))
  })
})

describe('a proof is refused', () => {
  test('when it is larger than any real one', async () => {
    expectRefusal(await verify('a'.repeat(8_193)), 'proof_too_large')
  })

  test.each([
    '',
    'a.b',
    `${part('{}')}.${part('[]')}.AA`,
    `${part('{"a":1,"a":2}')}.${part('{}')}.AA`,
  ])('when it is no token: %s', async (proof) => {
    expectRefusal(await verify(proof), 'proof_malformed')
  })

  test.each(['JWT', 'DPOP+JWT', 'application/dpop+jwt', 5, undefined])(
    'when its type is %s',
    async (typ) => {
      expectRefusal(await verify(unsigned({ typ })), 'proof_type_refused')
    },
  )

  test('when it has critical headers', async () => {
    expectRefusal(await verify(unsigned({ crit: ['exp'] })), 'proof_critical_header')
  })

  test('when it shows the private key', async () => {
    const jwk = await crypto.subtle.exportKey('jwk', rsa.privateKey)
    expectRefusal(await verify(await makeProof(claims(), { jwk })), 'proof_key_private')
  })

  test.each([
    undefined,
    null,
    'key',
    {},
    { kty: 'oct' },
    { ...rsaJwk, e: 'AQ' },
    { ...ecJwk, crv: 'P-521' },
  ])('when its key is %j', async (jwk) => {
    expectRefusal(await verify(unsigned({ jwk })), 'proof_key_malformed')
  })

  test.each([
    ['none', rsaJwk],
    ['HS256', rsaJwk],
    ['RS512', rsaJwk],
    ['ES256', rsaJwk],
    ['RS256', ecJwk],
    ['toString', rsaJwk],
    [undefined, rsaJwk],
  ])('when its algorithm is %s for that kind of key', async (alg, jwk) => {
    expectRefusal(await verify(unsigned({ alg, jwk })), 'proof_algorithm_refused')
  })

  test('when a thief with the token proves a key of his own', async () => {
    const thief = await makeKeyPair({ kind: 'rsa' })
    const proof = await makeProof(
      claims(),
      { jwk: await exportJWK(thief.publicKey) },
      thief.privateKey,
    )
    expectRefusal(await verify(proof), 'proof_key_mismatch')
  })

  test('when a thief shows the right key and signs with his own', async () => {
    const thief = await makeKeyPair({ kind: 'rsa' })
    expectRefusal(
      await verify(await makeProof(claims(), {}, thief.privateKey)),
      'proof_signature_invalid',
    )
  })

  test('when its key is no point of the curve', async () => {
    const jwk = { ...ecJwk, y: ecJwk.x ?? '' }
    const result = await verify(unsigned({ alg: 'ES256', jwk }), { confirmation: keyOf(jwk) })
    expectRefusal(result, 'proof_signature_invalid')
  })

  test.each([
    { jti: undefined },
    { jti: '' },
    { jti: 'x'.repeat(257) },
    { htm: undefined },
    { htu: 5 },
    { iat: undefined },
    { iat: `${NOW}` },
    { iat: -1 },
    { iat: null },
  ])('when a claim is missing or odd: %j', async (change) => {
    expectRefusal(await verify(await makeProof(claims(change))), 'proof_claims_malformed')
  })

  test.each(['GET', 'post', 'PUT'])('when it was made for %s', async (htm) => {
    expectRefusal(await verify(await makeProof(claims({ htm }))), 'proof_method_mismatch')
  })

  test.each([
    'https://evil.example/v1/attestations',
    'http://countersign.example/v1/attestations',
    'https://countersign.example:8443/v1/attestations',
    'https://countersign.example/v1/attestations/',
    'https://countersign.example@evil.example/v1/attestations',
    'https://user@countersign.example/v1/attestations',
    'https://countersign.example/v1%2Fattestations',
    'https://countersign.example\\v1\\attestations',
    '/v1/attestations',
    '',
  ])('when it was made for %s', async (htu) => {
    expectRefusal(await verify(await makeProof(claims({ htu }))), 'proof_url_mismatch')
  })

  test('when it was made ahead of time or long ago', async () => {
    const at = async (iat: number) => verify(await makeProof(claims({ iat })))
    expectRefusal(await at(NOW + 11), 'proof_issued_in_future')
    expectRefusal(await at(NOW - 71), 'proof_too_old')
    // RFC 7519 §2: a NumericDate may have a fraction, and RFC 9449 §4.2 takes `iat` from there.
    expectOk(await at(NOW + 9.75))
    expectRefusal(await at(NOW + 10.25), 'proof_issued_in_future')
    expectOk(await at(NOW - 69.75))
    expectRefusal(await at(NOW - 70.25), 'proof_too_old')
    const clockless = await verify(await makeProof(), { now: new Date(Number.NaN) })
    expectRefusal(clockless, 'proof_issued_in_future')
  })

  test.each([undefined, '', 'another', null])('when its nonce is %j', async (nonce) => {
    expectRefusal(await verify(await makeProof(claims({ nonce }))), 'proof_nonce_mismatch')
  })

  test('property: any one character changed, for a declared reason', async () => {
    const genuine = await makeProof()
    const change = fc.tuple(fc.nat(genuine.length - 2), fc.constantFrom(...'AZaz09-_.='))
    await fc.assert(
      fc.asyncProperty(change, async ([position, character]) => {
        const proof = genuine.slice(0, position) + character + genuine.slice(position + 1)
        if (proof === genuine) return
        const result = await verify(proof)
        expect(result.ok).toBe(false)
        if (!result.ok) expect(PROOF_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

test('an address that the caller made up is a mistake of the caller', async () => {
  const proof = await makeProof()
  await expect(verify(proof, { url: '/v1/attestations' })).rejects.toThrow(TypeError)
})

describeVectors('the proofs of RFC 9449', () => {
  const read = () => vectorJson('dpop/rfc9449-dpop-vectors.json').proofs

  test('there are three', () => {
    expect(read()).toHaveLength(3)
  })

  test.each([0, 1, 2])('number %d is right in all but our nonce', async (index) => {
    const { jwt, header, payload, jkt } = read()[index]
    const expected = {
      confirmation: keyOf(header.jwk),
      method: payload.htm,
      url: payload.htu,
      now: new Date(payload.iat * 1000),
    }
    // The nonce is looked at last, so this refusal says that the signature and all else fits.
    expectRefusal(await verify(jwt, expected), 'proof_nonce_mismatch')
    expect(await calculateJwkThumbprint(header.jwk)).toBe(jkt)
    const other = { ...expected, confirmation: keyOf(ecJwk) }
    expectRefusal(await verify(jwt, other), 'proof_key_mismatch')
    const middle = jwt.lastIndexOf('.') + 10
    const flipped = jwt.slice(0, middle) + (jwt[middle] === 'A' ? 'B' : 'A') + jwt.slice(middle + 1)
    expectRefusal(await verify(flipped, expected), 'proof_signature_invalid')
  })
})
