import { createPrivateKey, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { readEcdsaSignature } from '../../src/keys/signing-key-material.ts'

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Witness: OpenSSL writes the signature in DER, and WebCrypto verifies r and s (W3C WebCrypto §23.7.2). */
test('r and s come out of DER whole, with and without zeros that they begin with', async () => {
  const pair = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const lengths = new Set<number>()
  // One number in 256 is shorter than 32 bytes in DER, and one in two has a zero before it.
  const isSeen = () => lengths.has(33) && [...lengths].some((length) => length < 32)
  for (let i = 0; i < 60_000 && !isSeen(); i++) {
    const message = new Uint8Array([i & 255, i >> 8])
    const signature = sign('sha256', message, key)
    lengths.add(signature[3] ?? 0)
    const raw = new Uint8Array(readEcdsaSignature(signature))
    expect(raw).toHaveLength(64)
    expect(await crypto.subtle.verify(ECDSA, pair.publicKey, raw, message)).toBe(true)
  }
  expect(isSeen()).toBe(true)
})
