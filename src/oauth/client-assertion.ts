import { err, ok, type Result } from '../base/result.ts'
import type { VerifyingKey } from './key-set.ts'
import { MAX_ASSERTION_CHARS, MAX_ASSERTION_SECONDS, MAX_TOKEN_NAME_CHARS } from './limits.ts'
import { type JwtFault, peekJwt, verifyJwtByKeySet } from './verify-jwt.ts'

/** `client_assertion_type` of `private_key_jwt`. RFC 7523 §2.2 */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Why an assertion does not prove its client. */
export const ASSERTION_REASONS = [
  'assertion_type_unknown',
  'assertion_malformed',
  'assertion_type_refused',
  'assertion_algorithm_refused',
  'assertion_key_unknown',
  'assertion_signature_invalid',
  'assertion_issuer_mismatch',
  'assertion_audience_mismatch',
  'assertion_expired',
  'assertion_not_yet_valid',
  'assertion_lifetime_too_long',
  'assertion_claims_malformed',
  /** Its `jti` came before. */
  'assertion_replayed',
] as const

export type AssertionFailure = { readonly reason: (typeof ASSERTION_REASONS)[number] }

const FAULTS: Readonly<Record<JwtFault, AssertionFailure['reason']>> = {
  malformed: 'assertion_malformed',
  type: 'assertion_type_refused',
  algorithm: 'assertion_algorithm_refused',
  key: 'assertion_key_unknown',
  signature: 'assertion_signature_invalid',
  claims: 'assertion_claims_malformed',
  issuer: 'assertion_issuer_mismatch',
  audience: 'assertion_audience_mismatch',
  expired: 'assertion_expired',
  early: 'assertion_not_yet_valid',
}

/** What an assertion says of itself before anything is verified: whose keys to look for, and for which. */
export type NamedAssertion = { readonly clientId: string; readonly kid: string | undefined }

/** Reads whose assertion it is meant to be. */
export function readAssertion(text: string): Result<NamedAssertion, AssertionFailure> {
  const jws = peekJwt(text, MAX_ASSERTION_CHARS)
  if (jws === undefined) return err({ reason: 'assertion_malformed' })
  const { sub } = jws.payload
  const { kid } = jws.header
  if (!isName(sub)) return err({ reason: 'assertion_claims_malformed' })
  if (kid !== undefined && !isName(kid)) return err({ reason: 'assertion_malformed' })
  return ok({ clientId: sub, kid })
}

/** An assertion that the client made for us. Whether it came before is still to be looked up by `jti`. */
export type VerifiedAssertion = {
  readonly clientId: string
  readonly jti: string
  readonly expiresAt: Date
}

/**
 * Verifies an assertion by the keys of the client that it names (RFC 7523 §3). The audience is our issuer
 * and nothing else, and one value (the revision of RFC 7523 after the attacks of 2025): an assertion for the
 * token endpoint of another server, or for several, proves nothing here.
 */
export async function verifyAssertion(
  text: string,
  expected: NamedAssertion & {
    readonly keys: readonly VerifyingKey[]
    readonly issuer: string
    readonly now: Date
    readonly clockSkewSeconds: number
  },
): Promise<Result<VerifiedAssertion, AssertionFailure>> {
  const { clientId, kid, keys, issuer, now, clockSkewSeconds } = expected
  const jwt = await verifyJwtByKeySet(text, {
    ...{
      keys,
      kid,
      algorithm: algorithmOf(text),
      now,
      clockSkewSeconds,
      issuer: clientId,
      audience: issuer,
    },
    types: TYPES,
    requiredClaims: ['iss', 'sub', 'aud', 'jti'],
  })
  if (!jwt.ok) return err({ reason: FAULTS[jwt.fault] })
  const { sub, aud, jti, exp = 0 } = jwt.payload
  if (sub !== clientId || !isName(jti)) return err({ reason: 'assertion_claims_malformed' })
  if (Array.isArray(aud) && aud.length > 1) return err({ reason: 'assertion_audience_mismatch' })
  if (exp > now.getTime() / 1000 + MAX_ASSERTION_SECONDS + clockSkewSeconds) {
    return err({ reason: 'assertion_lifetime_too_long' })
  }
  return ok({ clientId, jti, expiresAt: new Date(exp * 1000) })
}

/** Libraries set none, `JWT`, or the type of the revision of RFC 7523. */
const TYPES = ['', 'jwt', 'client-authentication+jwt']

function algorithmOf(text: string): unknown {
  return peekJwt(text, MAX_ASSERTION_CHARS)?.header.alg
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TOKEN_NAME_CHARS
}
