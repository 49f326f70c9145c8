import { type KeyObject, randomBytes } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { toUtf8 } from '../base/encoding.ts'
import { signPssWithSalt } from './rsa-pss.ts'
import { toWebKey } from './web-key.ts'

/** What a device leaves to chance. */
export type Chance = {
  /** Fresh random bytes. */
  readonly bytes: (length: number) => Uint8Array
  /** PS256 (RFC 7518 §3.5): RSASSA-PSS with SHA-256 and a salt of 32 bytes. */
  readonly signPss: (key: KeyObject, message: Uint8Array) => Promise<Uint8Array>
}

const PSS = { name: 'RSA-PSS', saltLength: 32 } as const

/** That of every device, unless it is to be the same twice. */
export const CHANCE: Chance = {
  bytes: randomBytes,
  async signPss(key, message) {
    const webKey = await toWebKey(key, 'PS256')
    return new Uint8Array(await crypto.subtle.sign(PSS, webKey, new Uint8Array(message)))
  },
}

/** The salt of every signature that is not left to chance. */
export const FIXED_SALT = toUtf8('countersign agent vectors, salt.')

/**
 * The same for the same label, every time and everywhere: what is made with it can be compared byte
 * for byte. Whoever knows the label knows all that it gives, so it protects nothing.
 */
export function fixedChance(label: string): Chance {
  return {
    bytes: fixedBytes(label),
    signPss: async (key, message) => signPssWithSalt(key, message, FIXED_SALT),
  }
}

/** SHA-256 over the label, NUL and a counter of four bytes, again and again: each call goes on in it. */
export function fixedBytes(label: string): (length: number) => Uint8Array<ArrayBuffer> {
  let blocks = 0
  let left = new Uint8Array(0)
  return (length) => {
    while (left.length < length) {
      const counter = Buffer.alloc(4)
      counter.writeUInt32BE(blocks++)
      const block = digest('sha256', toUtf8(`${label}\0`), counter)
      left = new Uint8Array(Buffer.concat([left, block]))
    }
    const bytes = left.slice(0, length)
    left = left.slice(length)
    return bytes
  }
}
