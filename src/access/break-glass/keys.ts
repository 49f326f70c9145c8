import { digest } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url, toHex, toUtf8 } from '../../base/encoding.ts'
import { isNumericDate } from '../../base/numeric-date.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { isJsonObject, type JsonObject, parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import { hasPrivateMembers } from '../../evidence/x509/rsa-public-key.ts'
import { MAX_BREAK_GLASS_KEYS, MAX_KEY_SET_CHARS, MAX_KID_CHARS } from './limits.ts'

/** A public key whose holder may sign break-glass tokens. */
export type BreakGlassKey = {
  /** What the set calls it; its thumbprint where the set does not say. */
  readonly kid: string
  /** RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string
  /** RFC 8037 §2: the 32 bytes of the key, base64url. */
  readonly x: string
  /** When the key ends: its `exp`, as OpenID Federation 1.0 §8.7.2 has it for keys; absent without one. */
  readonly expiresAt?: Date
}

export const BREAK_GLASS_KEYS_REASONS = [
  'break_glass_keys_malformed',
  'break_glass_keys_too_many',
  'break_glass_key_private',
  'break_glass_key_unusable',
  'break_glass_key_repeated',
] as const

export type BreakGlassKeysFailure = {
  readonly reason: (typeof BREAK_GLASS_KEYS_REASONS)[number]
  /** For whoever wrote the set; it repeats nothing of a key. */
  readonly detail: string
}

type Read<T> = Result<T, BreakGlassKeysFailure>

/** Reads a JWK Set (RFC 7517 §5) of Ed25519 public keys. Every key must be one that we can use. */
export function readBreakGlassKeys(text: string): Read<readonly BreakGlassKey[]> {
  const keys = text.length > MAX_KEY_SET_CHARS ? undefined : parseJsonObject(text)?.keys
  if (!Array.isArray(keys) || keys.length === 0) {
    return refuse('break_glass_keys_malformed', 'must be a JWK set: {"keys":[…]}')
  }
  if (keys.length > MAX_BREAK_GLASS_KEYS) {
    return refuse('break_glass_keys_too_many', `must hold at most ${MAX_BREAK_GLASS_KEYS} keys`)
  }
  const read: BreakGlassKey[] = []
  for (const [index, jwk] of keys.entries()) {
    const key = readKey(jwk, `key ${index + 1}`)
    if (!key.ok) return key
    read.push(key.value)
  }
  return refuseRepeated(read)
}

/** By `kid` and by thumbprint, as signers may know a key by either. */
export type BreakGlassKeys = ReadonlyMap<string, ImportedBreakGlassKey>

export type ImportedBreakGlassKey = BreakGlassKey & { readonly key: CryptoKey }

/** The `alg` of WebCrypto, on Node as in workerd. */
export const ED25519 = 'Ed25519'

export async function importBreakGlassKeys(
  keys: readonly BreakGlassKey[],
): Promise<BreakGlassKeys> {
  const imported = new Map<string, ImportedBreakGlassKey>()
  for (const one of keys) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: one.x }
    const key = await crypto.subtle.importKey('jwk', jwk, { name: ED25519 }, false, ['verify'])
    imported.set(one.kid, { ...one, key }).set(one.thumbprint, { ...one, key })
  }
  return imported
}

/** RFC 8037 §2 and appendix A.3: the required members in the order of their names. */
export function thumbprintOf(x: string): string {
  const members = { crv: 'Ed25519', kty: 'OKP', x }
  return toBase64Url(digest('sha256', toUtf8(JSON.stringify(members))))
}

function readKey(jwk: unknown, name: string): Read<BreakGlassKey> {
  if (!isJsonObject(jwk)) return refuse('break_glass_key_unusable', `${name} is no JWK`)
  if (hasPrivateMembers(jwk)) {
    return refuse('break_glass_key_private', `${name} is a private key: make a new one`)
  }
  const { kid, x } = jwk
  if (!isEd25519(jwk) || typeof x !== 'string') {
    return refuse('break_glass_key_unusable', `${name} is no Ed25519 key (OKP) for signatures`)
  }
  const bytes = x.length === 43 ? fromBase64Url(x) : undefined
  if (bytes === undefined || toBase64Url(bytes) !== x || isOfSmallOrder(bytes)) {
    return refuse('break_glass_key_unusable', `${name} has an x that is no public key`)
  }
  const thumbprint = thumbprintOf(x)
  const { exp } = jwk
  if (exp !== undefined && !isNumericDate(exp)) {
    return refuse('break_glass_key_unusable', `${name} has an exp that is no time in seconds`)
  }
  const end = exp === undefined ? {} : { expiresAt: new Date(exp * 1000) }
  if (kid === undefined) return ok({ kid: thumbprint, thumbprint, x, ...end })
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_CHARS) {
    return refuse('break_glass_key_unusable', `${name} has a kid that is no name`)
  }
  return ok({ kid, thumbprint, x, ...end })
}

function isEd25519({ kty, crv, use = 'sig', alg = 'EdDSA' }: JsonObject): boolean {
  // RFC 9864 §2.2 calls the same algorithm by the name of its curve.
  const isSigning = use === 'sig' && (alg === 'EdDSA' || alg === 'Ed25519')
  return kty === 'OKP' && crv === 'Ed25519' && isSigning
}

/**
 * Encodings of the points whose order divides 8, without the sign of their x (RFC 8032 §5.1.2).
 * Anybody can make signatures for such a key, no standard asks a verifier to notice, and one of them
 * is what a row of zeros stands for.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

function isOfSmallOrder(bytes: Uint8Array): boolean {
  const unsigned = Uint8Array.from(bytes)
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f
  return SMALL_ORDER.has(toHex(unsigned))
}

/** Neither a key nor a name may stand for two: a threshold counts people. */
function refuseRepeated(keys: readonly BreakGlassKey[]): Read<readonly BreakGlassKey[]> {
  const owners = new Map<string, BreakGlassKey>()
  for (const key of keys) {
    for (const name of new Set([key.kid, key.thumbprint])) {
      if (owners.has(name)) {
        return refuse('break_glass_key_repeated', 'must hold each key and each kid once')
      }
      owners.set(name, key)
    }
  }
  return ok(keys)
}

function refuse(reason: BreakGlassKeysFailure['reason'], detail: string) {
  return err<BreakGlassKeysFailure>({ reason, detail })
}
