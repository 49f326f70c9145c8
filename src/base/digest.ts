import { hash, timingSafeEqual } from 'node:crypto'

/** The hash algorithms of TPM banks and signatures that are accepted anywhere. */
export const DIGEST_BYTES = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const

export type HashAlgorithm = keyof typeof DIGEST_BYTES

export function digest(algorithm: HashAlgorithm, ...parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  const input = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
  // Through text, because a buffer that `hash` makes has memory of its own, which costs more to
  // get and to collect than these few bytes in Node's pool.
  return Buffer.from(hash(algorithm, input, 'hex'), 'hex')
}

/** The same over the UTF-8 of a text. */
export function digestText(algorithm: HashAlgorithm, text: string): Uint8Array {
  return Buffer.from(hash(algorithm, text, 'hex'), 'hex')
}

/** Compares without telling through timing where two values differ. Lengths are not secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
