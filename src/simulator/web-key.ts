import type { KeyObject } from 'node:crypto'

/** What a private key signs with, by its name in JOSE (RFC 7518 §3.1). */
export type WebKeyAlgorithm = 'RS256' | 'PS256' | 'ES256'

const PARAMETERS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
} as const

/** A key signs more than once, with one algorithm as a rule. */
const imported = new WeakMap<KeyObject, Map<WebKeyAlgorithm, CryptoKey>>()

/**
 * A private key as WebCrypto has it. workerd knows `KeyObject` but signs with it in part only: it
 * refuses one beside options, ignores the padding it is told and cannot turn one into a `CryptoKey`.
 */
export async function toWebKey(key: KeyObject, algorithm: WebKeyAlgorithm): Promise<CryptoKey> {
  const known = imported.get(key) ?? new Map<WebKeyAlgorithm, CryptoKey>()
  const found = known.get(algorithm)
  if (found !== undefined) return found
  const jwk = key.export({ format: 'jwk' }) as JsonWebKey
  const made = await crypto.subtle.importKey('jwk', jwk, PARAMETERS[algorithm], false, ['sign'])
  imported.set(key, known.set(algorithm, made))
  return made
}
