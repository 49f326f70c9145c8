import { digest, equalBytes } from '../base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../base/encoding.ts'

export const CLIENT_SECRET_BYTES = 32

/** So that a leaked secret is recognised for what it is. */
const PREFIX = 'css_'

/**
 * The secret of an API client, from 32 random bytes. With that much randomness there is nothing to
 * guess, so one hash without salt or stretching keeps it, and checking it costs a microsecond.
 */
export function newClientSecret(random: Uint8Array): string {
  if (random.length !== CLIENT_SECRET_BYTES) throw new TypeError('a client secret needs 32 bytes')
  return PREFIX + toBase64Url(random)
}

/** base64url of the SHA-256 of the whole secret: what the store keeps. */
export function hashClientSecret(secret: string): string {
  return toBase64Url(digest('sha256', toUtf8(secret)))
}

/** Whether `secret`, of any length and content, is the one that was hashed; in constant time. */
export function verifyClientSecret(secret: string, hash: string): boolean {
  const expected = fromBase64Url(hash)
  return expected !== undefined && equalBytes(digest('sha256', toUtf8(secret)), expected)
}
