import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CERTIFICATE_REASONS } from '../../../src/evidence/x509/failure.ts'
import { readSubjectPublicKey } from '../../../src/evidence/x509/public-key.ts'
import { readRsaJwk, toRsaPublicKey } from '../../../src/evidence/x509/rsa-public-key.ts'
import { makeKeyPair } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const rsa = await makeKeyPair({ kind: 'rsa' })
const spki = new Uint8Array(await crypto.subtle.exportKey('spki', rsa.publicKey))
const jwk = await crypto.subtle.exportKey('jwk', rsa.publicKey)

describe('readSubjectPublicKey', () => {
  test('reads RSA as the runtime does', () => {
    expect(expectOk(readSubjectPublicKey(spki))).toEqual({ kty: 'RSA', n: jwk.n, e: 'AQAB' })
  })

  test.each(['P-256', 'P-384', 'P-521'] as const)('reads %s as the runtime does', async (curve) => {
    const { publicKey } = await makeKeyPair({ kind: 'ec', curve })
    const bytes = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
    expect(expectOk(readSubjectPublicKey(bytes))).toEqual({ kty, crv, x, y })
    const short = Buffer.from(bytes.subarray(0, -1))
    short[1] = (short[1] ?? 0) - 1
    expectRefusal(readSubjectPublicKey(short), 'certificate_malformed')
  })

  test('refuses algorithms and curves that are not accepted', () => {
    const ed25519 = Buffer.from(`302a300506032b6570032100${'11'.repeat(32)}`, 'hex')
    expectRefusal(readSubjectPublicKey(ed25519), 'certificate_algorithm_refused')
    const secp256k1 = Buffer.from(
      `3056301006072a8648ce3d020106052b8104000a03420004${'11'.repeat(64)}`,
      'hex',
    )
    expectRefusal(readSubjectPublicKey(secp256k1), 'certificate_algorithm_refused')
    const compressed = Buffer.from(
      `3039301306072a8648ce3d020106082a8648ce3d03010703220002${'11'.repeat(32)}`,
      'hex',
    )
    expectRefusal(readSubjectPublicKey(compressed), 'certificate_algorithm_refused')
  })

  test('refuses truncation at every offset and a byte too many', () => {
    for (let length = 0; length < spki.length; length += 1) {
      expectRefusal(readSubjectPublicKey(spki.subarray(0, length)), 'certificate_malformed')
    }
    expectRefusal(
      readSubjectPublicKey(Buffer.concat([spki, Buffer.from([0])])),
      'certificate_malformed',
    )
    expectRefusal(readSubjectPublicKey(new Uint8Array(20_000)), 'certificate_too_large')
  })

  test('property: mutated keys are refused for a declared reason or read', () => {
    fc.assert(
      fc.property(fc.nat(spki.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(spki)
        bytes[at] = value
        const result = readSubjectPublicKey(bytes)
        if (!result.ok) expect(CERTIFICATE_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 300 },
    )
  })
})

describe('toRsaPublicKey', () => {
  const modulus = Buffer.from(jwk.n ?? '', 'base64url')
  const exponent = Buffer.from([1, 0, 1])

  test('gives equal keys equal text', () => {
    const padded = Buffer.concat([Buffer.alloc(3), modulus])
    expect(toRsaPublicKey(padded, Buffer.from([0, 1, 0, 1]))).toEqual(
      toRsaPublicKey(modulus, exponent),
    )
    expect(createPublicKey({ key: { ...jwk }, format: 'jwk' }).asymmetricKeyType).toBe('rsa')
  })

  test.each([
    ['exponent 1, under which anything is a signature', modulus, [1]],
    ['exponent 0', modulus, [0]],
    ['no exponent', modulus, []],
    ['an even exponent', modulus, [1, 0, 0]],
    ['an exponent of five octets', modulus, [1, 0, 0, 0, 1]],
    ['no modulus', Buffer.alloc(0), [1, 0, 1]],
    [
      'a modulus of 2047 bits',
      Buffer.concat([Buffer.from([0x7f]), modulus.subarray(1)]),
      [1, 0, 1],
    ],
    ['an even modulus', Buffer.concat([modulus.subarray(0, -1), Buffer.from([2])]), [1, 0, 1]],
    ['a modulus of 8200 bits', Buffer.alloc(1025, 0xff), [1, 0, 1]],
  ])('refuses %s', (_, n, e) => {
    expect(toRsaPublicKey(n, Uint8Array.from(e))).toBeUndefined()
  })
})

describe('readRsaJwk', () => {
  test('keeps the public members alone', () => {
    expect(readRsaJwk({ ...jwk, alg: 'RS256', kid: '1' })).toEqual({
      kty: 'RSA',
      n: jwk.n,
      e: 'AQAB',
    })
  })

  test.each([
    ['another kind of key', { kty: 'EC' }],
    ['a private exponent', { d: 'AQAB' }],
    ['a symmetric key hidden beside', { k: 'AQAB' }],
    ['a modulus that is not text', { n: 5 }],
    ['a modulus that is not base64url', { n: '+/==' }],
    ['a modulus of a megabyte', { n: 'A'.repeat(1_000_000) }],
  ])('refuses %s', (_, change) => {
    expect(readRsaJwk({ ...jwk, ...change })).toBeUndefined()
  })
})
