import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { toUtf8 } from '../base/encoding.ts'
import type { MasterSecret, MasterSecrets } from './master-secret.ts'

const CIPHER = 'aes-256-gcm'
const VERSION = 1
const KEY_BYTES = 32
const TAG_BYTES = 16

/** Fresh for each message; random ones serve for 2^32 messages per key (SP 800-38D §8.3). */
export const SEAL_NONCE_BYTES = 12

/**
 * A key for one purpose, by HKDF-SHA-256 (RFC 5869) with the purpose as `info`: what is sealed or
 * authenticated for one purpose is worth nothing for another.
 */
export function derivePurposeKey(masterSecret: MasterSecret, purpose: string): Uint8Array {
  const info = toUtf8(`countersign ${purpose}`)
  return new Uint8Array(hkdfSync('sha256', masterSecret, new Uint8Array(0), info, KEY_BYTES))
}

/** Keys for one purpose: the first seals, all open. */
export type PurposeKeys = readonly [Uint8Array, ...Uint8Array[]]

export function derivePurposeKeys(secrets: MasterSecrets, purpose: string): PurposeKeys {
  const [current, ...previous] = secrets
  const derive = (secret: MasterSecret) => derivePurposeKey(secret, purpose)
  return [derive(current), ...previous.map(derive)]
}

/**
 * Encrypts and authenticates: version, nonce, AES-256-GCM ciphertext, tag. `context` is
 * authenticated too and has to be the same when opening; it is not part of the result.
 */
export function seal(input: {
  readonly key: Uint8Array
  readonly plaintext: Uint8Array
  readonly context: string
  readonly nonce?: Uint8Array
}): Uint8Array {
  const { key, plaintext, context } = input
  const nonce = input.nonce ?? crypto.getRandomValues(new Uint8Array(SEAL_NONCE_BYTES))
  if (nonce.length !== SEAL_NONCE_BYTES) throw new TypeError('a seal needs a nonce of 12 bytes')
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(toUtf8(context))
  const head = Uint8Array.of(VERSION)
  return Buffer.concat([head, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** What one of the keys sealed in this context; `undefined` where none of them did. */
export function unsealWithAny({
  keys,
  ...message
}: {
  readonly keys: readonly Uint8Array[]
  readonly sealed: Uint8Array
  readonly context: string
}): Uint8Array | undefined {
  for (const key of keys) {
    const plaintext = unseal({ ...message, key })
    if (plaintext !== undefined) return plaintext
  }
  return undefined
}

/** `undefined` unless exactly these bytes were sealed with this key in this context. */
export function unseal(input: {
  readonly key: Uint8Array
  readonly sealed: Uint8Array
  readonly context: string
}): Uint8Array | undefined {
  const { key, sealed, context } = input
  const start = 1 + SEAL_NONCE_BYTES
  if (sealed.length < start + TAG_BYTES || sealed[0] !== VERSION) return undefined
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(1, start), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(toUtf8(context)).setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const plaintext = decipher.update(sealed.subarray(start, -TAG_BYTES))
    return Buffer.concat([plaintext, decipher.final()])
  } catch {
    return undefined
  }
}
