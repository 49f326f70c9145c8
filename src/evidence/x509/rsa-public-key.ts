import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import { MAX_RSA_BITS, MAX_RSA_EXPONENT_BYTES, MIN_RSA_BITS } from './limits.ts'

/** A usable RSA public key in its one canonical form (RFC 7518 §6.3.1). Says nothing of trust. */
export type RsaPublicKey = { readonly kty: 'RSA'; readonly n: string; readonly e: string }

/**
 * `undefined` for keys nobody should verify with: fewer than 2048 bits, an even modulus, an
 * exponent that is even or 1 (under which every message is its own signature), or sizes that only
 * cost time. Leading zero octets are dropped, so that equal keys are equal text.
 */
export function toRsaPublicKey(
  modulus: Uint8Array,
  exponent: Uint8Array,
): RsaPublicKey | undefined {
  const n = withoutLeadingZeros(modulus)
  const e = withoutLeadingZeros(exponent)
  const bits = bitLength(n)
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || !isOdd(n)) return undefined
  if (e.length > MAX_RSA_EXPONENT_BYTES || !isOdd(e) || (e.length === 1 && e[0] === 1)) {
    return undefined
  }
  return { kty: 'RSA', n: toBase64Url(n), e: toBase64Url(e) }
}

/** Reads a JSON Web Key that must be RSA and public. Members beside `kty`, `n`, `e` are dropped. */
export function readRsaJwk(jwk: Readonly<Record<string, unknown>>): RsaPublicKey | undefined {
  if (jwk.kty !== 'RSA' || hasPrivateMembers(jwk)) return undefined
  if (typeof jwk.n !== 'string' || typeof jwk.e !== 'string') return undefined
  if (jwk.n.length > MAX_RSA_BITS / 4 || jwk.e.length > MAX_RSA_BITS / 4) return undefined
  const n = fromBase64Url(jwk.n)
  const e = fromBase64Url(jwk.e)
  return n === undefined || e === undefined ? undefined : toRsaPublicKey(n, e)
}

/** RFC 7518 §6.2.2, §6.3.2, §6.4: whoever shows these has given the key away. */
export function hasPrivateMembers(jwk: Readonly<Record<string, unknown>>): boolean {
  return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? new Uint8Array() : bytes.subarray(first)
}

function bitLength(bytes: Uint8Array): number {
  const [first] = bytes
  return first === undefined ? 0 : (bytes.length - 1) * 8 + (32 - Math.clz32(first))
}

function isOdd(bytes: Uint8Array): boolean {
  return ((bytes.at(-1) ?? 0) & 1) === 1
}
