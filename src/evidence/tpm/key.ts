import { digest, type HashAlgorithm } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import { type Err, err, ok, type Result } from '../../base/result.ts'
import { encodeRsaSpki } from '../jws/rsa-spki.ts'
import {
  importVerificationKey,
  type KeyUse,
  type VerificationKey,
} from '../jws/verify-signature.ts'
import { MAX_RSA_BITS, MAX_RSA_EXPONENT_BYTES, MIN_RSA_BITS } from './limits.ts'

/** Why a public key is not used to verify anything. */
export const TPM_KEY_REASONS = ['tpm_key_malformed', 'tpm_key_unsupported', 'tpm_key_weak'] as const

export type TpmKeyFailure = {
  readonly reason: (typeof TPM_KEY_REASONS)[number]
  /** The member or property at fault, such as `n` or `crv`. */
  readonly detail: string
  /** The form that it should have had. */
  readonly expected?: string
}

const WEB_HASHES = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
} as const
const COORDINATE_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
])
const MIN_RSA_EXPONENT = 65537

/** WebCrypto's name of a hash. */
export function webHash(algorithm: HashAlgorithm): string {
  return WEB_HASHES[algorithm]
}

/**
 * A public key that has passed `importTpmKey`: RSA of 2048 to 4096 bits or a point on P-256 or P-384.
 * Whose key it is, is not known. It remembers its imports, which cost more than a
 * verification, so keep one where several signatures of one key are checked.
 */
export class TpmKey {
  /** Only the public members of the key. */
  readonly jwk: Readonly<JsonWebKey>
  readonly kind: 'rsa' | 'ecc'
  /** Bits of the modulus or of a coordinate. */
  readonly bits: number
  readonly #imports = new Map<string, Promise<VerificationKey>>()

  constructor(key: { jwk: JsonWebKey; kind: 'rsa' | 'ecc'; bits: number }) {
    this.jwk = Object.freeze(key.jwk)
    this.kind = key.kind
    this.bits = key.bits
  }

  verificationKey(use: KeyUse): Promise<VerificationKey> {
    const id = `${use.name} ${use.name === 'ECDSA' ? use.namedCurve : use.hash}`
    const known = this.#imports.get(id)
    if (known !== undefined) return known
    const imported = importVerificationKey(this.jwk, use)
    this.#imports.set(id, imported)
    return imported
  }

  /** The key as DER SubjectPublicKeyInfo, RFC 5280 §4.1.2.7. */
  async spkiDer(): Promise<Uint8Array> {
    if (this.jwk.kty === 'RSA') return encodeRsaSpki(this.jwk)
    const use = firstUse(this.jwk)
    const key = await crypto.subtle.importKey('jwk', { ...this.jwk }, use, true, ['verify'])
    return new Uint8Array(await crypto.subtle.exportKey('spki', key))
  }
}

/**
 * Takes a public JWK from anywhere and makes it usable, or says why not. Members besides the key
 * itself (`alg`, `use`, private ones) are dropped. A TpmKey is returned as it is.
 *
 * `use` is what the key will be used for, where that is known: a key of another kind is refused,
 * and one import is spared.
 */
export async function importTpmKey(
  key: JsonWebKey | TpmKey,
  use?: KeyUse,
): Promise<Result<TpmKey, TpmKeyFailure>> {
  if (key instanceof TpmKey) return ok(key)
  const checked = checkJwk(key)
  if (!checked.ok) return checked
  try {
    await checked.value.verificationKey(use ?? firstUse(checked.value.jwk))
    return checked
  } catch {
    const { kty, crv } = checked.value.jwk
    return malformed('import', kty === 'RSA' ? 'an RSA public key' : `a point on ${crv}`)
  }
}

/** The key as DER SubjectPublicKeyInfo. */
export async function spkiDerOfJwk(
  key: JsonWebKey | TpmKey,
): Promise<Result<Uint8Array, TpmKeyFailure>> {
  const imported = await importTpmKey(key)
  return imported.ok ? ok(await imported.value.spkiDer()) : imported
}

/** SHA-256 of the attestation key's SubjectPublicKeyInfo: the 32 bytes inside `aikPubHash`. */
export async function aikPubHash(
  key: JsonWebKey | TpmKey,
): Promise<Result<Uint8Array, TpmKeyFailure>> {
  const der = await spkiDerOfJwk(key)
  return der.ok ? ok(digest('sha256', der.value)) : der
}

function firstUse(jwk: JsonWebKey): KeyUse {
  return jwk.kty === 'RSA'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: jwk.crv ?? '' }
}

function checkJwk(jwk: JsonWebKey): Result<TpmKey, TpmKeyFailure> {
  if (jwk.kty === 'RSA') return checkRsa(jwk)
  if (jwk.kty === 'EC') return checkEc(jwk)
  return err({ reason: 'tpm_key_unsupported', detail: 'kty' })
}

function checkRsa(jwk: JsonWebKey): Result<TpmKey, TpmKeyFailure> {
  const modulus = positiveInteger(jwk.n)
  if (modulus === undefined) return malformed('n', UINT_FORM)
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (bits > MAX_RSA_BITS) return err({ reason: 'tpm_key_unsupported', detail: 'n' })
  if (bits < MIN_RSA_BITS) return err({ reason: 'tpm_key_weak', detail: 'n' })
  const exponent = positiveInteger(jwk.e)
  if (exponent === undefined) return malformed('e', `${UINT_FORM}: 65537 is AQAB`)
  if (exponent.length > MAX_RSA_EXPONENT_BYTES) {
    return err({ reason: 'tpm_key_unsupported', detail: 'e' })
  }
  const e = exponent.reduce((value, byte) => value * 256 + byte, 0)
  if (e < MIN_RSA_EXPONENT || e % 2 === 0) return err({ reason: 'tpm_key_weak', detail: 'e' })
  const members = { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(exponent) }
  return ok(new TpmKey({ jwk: members, kind: 'rsa', bits }))
}

function checkEc(jwk: JsonWebKey): Result<TpmKey, TpmKeyFailure> {
  const width = COORDINATE_BYTES.get(jwk.crv)
  if (width === undefined || jwk.crv === undefined) {
    return err({ reason: 'tpm_key_unsupported', detail: 'crv' })
  }
  const form = `base64url of the ${width} bytes of a coordinate, leading zeros included`
  const x = decode(jwk.x)
  if (x?.length !== width) return malformed('x', form)
  const y = decode(jwk.y)
  if (y?.length !== width) return malformed('y', form)
  const members = { kty: 'EC', crv: jwk.crv, x: toBase64Url(x), y: toBase64Url(y) }
  return ok(new TpmKey({ jwk: members, kind: 'ecc', bits: width * 8 }))
}

/** RFC 7518 §2 */
const UINT_FORM = 'base64url of a big-endian number without leading zeros'

function malformed(detail: string, expected: string): Err<TpmKeyFailure> {
  return err({ reason: 'tpm_key_malformed', detail, expected })
}

/** Base64urlUInt without leading zeros, RFC 7518 §6.3.1: one key has one spelling. */
function positiveInteger(text: unknown): Uint8Array | undefined {
  const bytes = decode(text)
  return bytes === undefined || !bytes[0] ? undefined : bytes
}

/** The type says string, the wire says anything. */
function decode(text: unknown): Uint8Array | undefined {
  return typeof text === 'string' ? fromBase64Url(text) : undefined
}
