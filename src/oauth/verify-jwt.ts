import { errors, importJWK, type JWTPayload, jwtVerify } from 'jose'
import { isNumericDate } from '../base/numeric-date.ts'
import { type CompactJws, decodeCompactJws } from '../evidence/jws/compact-jws.ts'
import { findKey, type VerifyingKey } from './key-set.ts'

/**
 * What can be wrong with a signed JWT. Each kind of JWT says it in
 * reasons of its own (RFC 8725 §3.12: validation rules that exclude each other).
 */
export type JwtFault =
  | 'malformed'
  | 'type'
  | 'algorithm'
  /** Its maker has no key of this name, or one that cannot be used. */
  | 'key'
  | 'signature'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'early'

/** What a JWT of one kind has to be. */
export type JwtExpectation = {
  /** The key that its maker has for this `kid`: chosen by whoever calls, never by the header. */
  readonly key: CryptoKey
  readonly algorithms: readonly string[]
  /** Media types of the header, without `application/`; `undefined` where its maker sets none. */
  readonly types: readonly string[] | undefined
  /** Any of several; `undefined` where its maker names none. */
  readonly issuer: string | readonly string[] | undefined
  readonly audience: string | readonly string[] | undefined
  readonly requiredClaims: readonly string[]
  readonly now: Date
  readonly clockSkewSeconds: number
}

export type VerifiedJwt =
  | { readonly ok: true; readonly payload: JWTPayload }
  | { readonly ok: false; readonly fault: JwtFault; readonly claim?: string }

/** Header and payload of a JWT of at most `maxChars`. Unverified: good for finding the key, and nothing else. */
export function peekJwt(token: string, maxChars: number): CompactJws | undefined {
  // The library reads past white space and repeated members, which two readers could see differently.
  return token.length > maxChars ? undefined : decodeCompactJws(token)
}

/**
 * Verifies a JWT as `verifyJwt` does, with one of the keys that its maker publishes. Which one is chosen by
 * the `kid` and `algorithm` of its header, and the key has to allow that algorithm.
 */
export async function verifyJwtByKeySet(
  token: string,
  expected: Omit<JwtExpectation, 'key' | 'algorithms'> & {
    readonly keys: readonly VerifyingKey[]
    readonly kid: string | undefined
    readonly algorithm: unknown
  },
): Promise<VerifiedJwt> {
  const { keys, kid, algorithm: named, ...rest } = expected
  const found = findKey(keys, kid)
  if (found === undefined) return { ok: false, fault: 'key' }
  const algorithm = found.algorithms.find((known) => known === named)
  if (algorithm === undefined) return { ok: false, fault: 'algorithm' }
  // What is no key is refused by the import, such as a point that is not on its curve.
  const key = await importJWK({ ...found.jwk }, algorithm).catch(() => undefined)
  if (!(key instanceof CryptoKey)) return { ok: false, fault: 'key' }
  return verifyJwt(token, { ...rest, key, algorithms: [algorithm] })
}

/** Verifies a JWT that `peekJwt` could read, by RFC 7519 §7.2 and RFC 8725. */
export async function verifyJwt(token: string, expected: JwtExpectation): Promise<VerifiedJwt> {
  const { key, types, issuer, audience, now, clockSkewSeconds: skew } = expected
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      algorithms: [...expected.algorithms],
      ...(issuer !== undefined && { issuer: [issuer].flat() }),
      ...(audience !== undefined && { audience: [audience].flat() }),
      requiredClaims: ['exp', ...expected.requiredClaims],
      currentDate: now,
      clockTolerance: skew,
    })
    if (types !== undefined && !types.includes(typeOf(protectedHeader.typ))) {
      return { ok: false, fault: 'type' }
    }
    return checkTimes(payload, now.getTime() / 1000, skew)
  } catch (error) {
    return explain(error)
  }
}

/** The library rounds the time down, which a fraction of a second in `exp` would outlive. */
function checkTimes(payload: JWTPayload, now: number, skew: number): VerifiedJwt {
  const { exp, nbf, iat } = payload
  for (const [claim, time] of Object.entries({ exp, nbf, iat })) {
    if (time !== undefined && !isNumericDate(time)) return { ok: false, fault: 'claims', claim }
  }
  if (exp === undefined || !(now < exp + skew)) return { ok: false, fault: 'expired' }
  if (iat !== undefined && iat > now + skew) return { ok: false, fault: 'early' }
  return { ok: true, payload }
}

/** RFC 7515 §4.1.9: `application/` may be left out, and case does not count. */
function typeOf(typ: string | undefined): string {
  return (typ ?? '').toLowerCase().replace(/^application\//, '')
}

const FAULT_OF_CLAIM: Readonly<Record<string, JwtFault>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'early',
}

function explain(error: unknown): VerifiedJwt {
  if (error instanceof errors.JWTExpired) return { ok: false, fault: 'expired' }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error
    const fault = reason === 'check_failed' ? FAULT_OF_CLAIM[claim] : undefined
    return { ok: false, fault: fault ?? 'claims', claim }
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return { ok: false, fault: 'algorithm' }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return { ok: false, fault: 'signature' }
  }
  if (error instanceof errors.JOSEError) return { ok: false, fault: 'malformed' }
  // The library says so of a key that is for another algorithm.
  if (error instanceof TypeError) return { ok: false, fault: 'algorithm' }
  throw error
}
