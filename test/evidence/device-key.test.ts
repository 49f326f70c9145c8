import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { listMishashed } from '../../src/evidence/device-key.ts'

/** The witness of the encodings is OpenSSL, through Node; that of the thumbprint is jose. */
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const derOf = (key: KeyObject) => key.export({ type: 'spki', format: 'der' })
const whatIs = (key: KeyObject, hash: string) =>
  listMishashed(key.export({ format: 'jwk' }) as JsonWebKey, derOf(key)).find(
    (one) => Buffer.from(one.hash).toString('hex') === hash,
  )?.what

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

describe.each([
  ['RSA', rsa],
  ['EC', ec],
] as const)('a hash of an %s key is recognised that was made over', (_name, key) => {
  test('PEM, with and without the last end of line, and with those of Windows', () => {
    const text = pem(key)
    for (const one of [text, text.trimEnd(), text.replaceAll('\n', '\r\n')]) {
      expect(whatIs(key, sha256(one))).toBe('its SubjectPublicKeyInfo as PEM')
    }
  })

  test('base64 and hexadecimal text', () => {
    expect(whatIs(key, sha256(derOf(key).toString('base64')))).toContain('base64 text')
    expect(whatIs(key, sha256(derOf(key).toString('hex')))).toContain('hexadecimal text')
  })

  test('its JWK, as a thumbprint or as programs write it', async () => {
    const jwk = key.export({ format: 'jwk' }) as JsonWebKey
    const thumbprint = await calculateJwkThumbprint(jwk as never)
    expect(whatIs(key, Buffer.from(thumbprint, 'base64url').toString('hex'))).toBe('its JWK')
  })

  test('DER alone is no mistake', () => {
    expect(whatIs(key, sha256(derOf(key)))).toBeUndefined()
  })
})

test('a hash over the modulus, or over PKCS #1', () => {
  const modulus = Buffer.from(rsa.export({ format: 'jwk' }).n ?? '', 'base64url')
  expect(whatIs(rsa, sha256(modulus))).toBe('its modulus')
  const pkcs1 = createPublicKey(rsa.export({ type: 'spki', format: 'pem' })).export({
    type: 'pkcs1',
    format: 'der',
  })
  expect(whatIs(rsa, sha256(pkcs1))).toBe('its RSAPublicKey (PKCS #1)')
})

/** Nobody here wrote the layout: TPM 2.0 Part 2 §12.2.4, its fields in their order. */
test('a hash over the TPMT_PUBLIC of the usual template', () => {
  const n = Buffer.from(rsa.export({ format: 'jwk' }).n ?? '', 'base64url').toString('hex')
  const area = `0001000b00050072${'0000'}${'0010'}${'0014000b'}${'0800'}${'00000000'}${'0100'}${n}`
  expect(whatIs(rsa, sha256(Buffer.from(area, 'hex')))).toBe('its TPMT_PUBLIC')
})

test('a hash over the uncompressed point', () => {
  expect(whatIs(ec, sha256(derOf(ec).subarray(-65)))).toBe('its uncompressed point')
})
