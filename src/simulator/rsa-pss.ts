import type { KeyObject } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { fromBase64Url, fromHex, toHex } from '../base/encoding.ts'

const HASH = 'sha256'
const HASH_BYTES = 32

/**
 * RSASSA-PSS with SHA-256, MGF1 over SHA-256 and this salt (RFC 8017 §8.1.1): what is signed twice
 * has one signature. No library signs with a salt that it is told, so the arithmetic is done here,
 * in a time that tells the key. For keys that everybody may know, and no others.
 */
export function signPssWithSalt(
  key: KeyObject,
  message: Uint8Array,
  salt: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const members = key.export({ format: 'jwk' })
  const number = (name: 'n' | 'p' | 'q' | 'dp' | 'dq' | 'qi') => toNumber(readMember(members, name))
  const modulusBytes = readMember(members, 'n').length
  const modulusBits = number('n').toString(2).length
  const encoded = toNumber(encodePss(message, salt, modulusBits - 1))
  const [p, q] = [number('p'), number('q')]
  // RFC 8017 §5.2.1, by the two primes.
  const byP = power(encoded % p, number('dp'), p)
  const byQ = power(encoded % q, number('dq'), q)
  const h = ((((byP - byQ) % p) + p) * number('qi')) % p
  return toBytes(byQ + q * h, modulusBytes)
}

/** EMSA-PSS-ENCODE. RFC 8017 §9.1.1 */
function encodePss(message: Uint8Array, salt: Uint8Array, bits: number): Uint8Array {
  const size = Math.ceil(bits / 8)
  const hash = digest(HASH, new Uint8Array(8), digest(HASH, message), salt)
  const block = new Uint8Array(size - HASH_BYTES - 1)
  block.set(salt, block.length - salt.length)
  block[block.length - salt.length - 1] = 1
  const mask = maskOf(hash, block.length)
  const masked = block.map((byte, at) => byte ^ (mask[at] ?? 0))
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * size - bits))
  return Buffer.concat([masked, hash, Uint8Array.of(0xbc)])
}

/** MGF1. RFC 8017 §B.2.1 */
function maskOf(seed: Uint8Array, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / HASH_BYTES) }, (_, index) => {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(index)
    return digest(HASH, seed, counter)
  })
  return Buffer.concat(blocks).subarray(0, length)
}

/** `base` to the power of `exponent`, modulo `modulus`. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = base % modulus
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

export function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

/** Big-endian, with zeros before it up to `length`. */
export function toBytes(number: bigint, length: number): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(number.toString(16).padStart(2 * length, '0'))
  if (bytes?.length !== length) throw new RangeError(`a number of more than ${length} bytes`)
  return new Uint8Array(bytes)
}

function readMember(members: JsonWebKey, name: 'n' | 'p' | 'q' | 'dp' | 'dq' | 'qi'): Uint8Array {
  const bytes = fromBase64Url(members[name] ?? '')
  if (bytes === undefined || bytes.length === 0) throw new TypeError(`no member ${name} in the key`)
  return bytes
}
