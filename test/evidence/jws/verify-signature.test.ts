import { describe, expect, test } from 'vitest'
import {
  importVerificationKey,
  type KeyUse,
  type SignatureScheme,
  verifySignature,
} from '../../../src/evidence/jws/verify-signature.ts'

const message = new TextEncoder().encode('signed')
const rsa = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' }

type Case = { readonly use: KeyUse; readonly scheme: SignatureScheme }

const CASES: readonly Case[] = [
  {
    use: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    scheme: { name: 'RSASSA-PKCS1-v1_5' },
  },
  { use: { name: 'RSA-PSS', hash: 'SHA-256' }, scheme: { name: 'RSA-PSS', saltLength: 32 } },
  { use: { name: 'ECDSA', namedCurve: 'P-256' }, scheme: { name: 'ECDSA', hash: 'SHA-256' } },
  { use: { name: 'ECDSA', namedCurve: 'P-384' }, scheme: { name: 'ECDSA', hash: 'SHA-384' } },
]

async function sign({ use, scheme }: Case) {
  const parameters = use.name === 'ECDSA' ? use : { ...rsa, ...use }
  const keys = await crypto.subtle.generateKey(parameters, true, ['sign', 'verify'])
  if (!('publicKey' in keys)) throw new TypeError('no key pair')
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey)
  const jwk = JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) as JsonWebKey
  const signature = new Uint8Array(await crypto.subtle.sign(scheme, keys.privateKey, message))
  return { jwk, signature }
}

describe.each(CASES)('$use.name $use.namedCurve', ({ use, scheme }) => {
  test('verifies what WebCrypto signed, and nothing that differs from it', async () => {
    const { jwk, signature } = await sign({ use, scheme })
    const key = await importVerificationKey(jwk, use)
    const changed = signature.with(5, (signature[5] ?? 0) ^ 1)
    expect(await verifySignature({ scheme, key, signature, message })).toBe(true)
    expect(await verifySignature({ scheme, key, signature: changed, message })).toBe(false)
    expect(await verifySignature({ scheme, key, signature, message: changed })).toBe(false)
  })

  test('a signature that is cut off, too long or empty is not valid', async () => {
    const { jwk, signature } = await sign({ use, scheme })
    const key = await importVerificationKey(jwk, use)
    const longer = Uint8Array.from([...signature, 0])
    for (const wrong of [signature.slice(1), signature.slice(0, -1), longer, new Uint8Array()]) {
      expect(await verifySignature({ scheme, key, signature: wrong, message })).toBe(false)
    }
  })
})

test('a signature of PKCS #1 v1.5 does not pass as PSS, nor with another salt length', async () => {
  const [pkcs1, pss] = CASES
  if (pkcs1 === undefined || pss === undefined) throw new TypeError('no cases')
  const { jwk, signature } = await sign(pkcs1)
  const key = await importVerificationKey(jwk, pss.use)
  expect(await verifySignature({ scheme: pss.scheme, key, signature, message })).toBe(false)
  const salted = await sign(pss)
  const signed = {
    key: await importVerificationKey(salted.jwk, pss.use),
    signature: salted.signature,
    message,
  }
  const short = { name: 'RSA-PSS', saltLength: 20 } as const
  expect(await verifySignature({ ...signed, scheme: short })).toBe(false)
})

test('a key is used for nothing but what it was imported for', async () => {
  const [pkcs1, pss, p256] = CASES
  if (pkcs1 === undefined || pss === undefined || p256 === undefined)
    throw new TypeError('no cases')
  const { jwk, signature } = await sign(pkcs1)
  const key = await importVerificationKey(jwk, pkcs1.use)
  const misuse = () => verifySignature({ scheme: pss.scheme, key, signature, message })
  expect(misuse).toThrow(TypeError)
  await expect(importVerificationKey(jwk, p256.use)).rejects.toThrow(TypeError)
  const other = { name: 'ECDSA', namedCurve: 'P-384' } as const
  await expect(importVerificationKey((await sign(p256)).jwk, other)).rejects.toThrow(TypeError)
})

test('a point that is not on its curve is no key', async () => {
  const x = Buffer.alloc(32, 1).toString('base64url')
  const point = { kty: 'EC', crv: 'P-256', x, y: x }
  const use = { name: 'ECDSA', namedCurve: 'P-256' } as const
  await expect(importVerificationKey(point, use)).rejects.toThrow()
})
