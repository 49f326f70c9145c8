import type { JWTPayload } from 'jose'
import { err, ok, type Result } from '../base/result.ts'
import type { VerifyingKey } from '../oauth/key-set.ts'
import { type JwtFault, peekJwt, verifyJwtByKeySet } from '../oauth/verify-jwt.ts'
import { MAX_VENDOR_TOKEN_CHARS } from './limits.ts'

/** Why a JWT of an identity provider does not count. */
export const VENDOR_TOKEN_REASONS = [
  'vendor_token_missing',
  'vendor_token_malformed',
  'vendor_token_algorithm_refused',
  'vendor_token_key_unknown',
  'vendor_token_type_refused',
  'vendor_token_signature_invalid',
  'vendor_token_issuer_mismatch',
  'vendor_token_audience_mismatch',
  'vendor_token_expired',
  'vendor_token_not_yet_valid',
  'vendor_token_claims_malformed',
] as const

export type VendorTokenFailure = { readonly reason: (typeof VENDOR_TOKEN_REASONS)[number] }

/** What a JWT of one provider has to be. */
export type VendorTokenExpectation = {
  /** Any of them; `undefined` where the provider names none. */
  readonly issuers: readonly string[] | undefined
  readonly audiences: readonly string[] | undefined
  readonly requiredClaims: readonly string[]
  readonly now: Date
  readonly clockSkewSeconds: number
}

/** A JWT that can be read. Unverified: its `kid` only chooses among the provider's own keys. */
export type PeekedVendorToken = { readonly text: string; readonly kid: string | undefined }

/** All of these providers sign with RS256 and nothing else. */
const ALGORITHM = 'RS256'

export function peekVendorToken(
  text: string | undefined,
): Result<PeekedVendorToken, VendorTokenFailure> {
  if (text === undefined || text === '') return err({ reason: 'vendor_token_missing' })
  const jws = peekJwt(text, MAX_VENDOR_TOKEN_CHARS)
  if (jws === undefined) return err({ reason: 'vendor_token_malformed' })
  const { alg, kid } = jws.header
  if (alg !== ALGORITHM) return err({ reason: 'vendor_token_algorithm_refused' })
  if (kid !== undefined && typeof kid !== 'string') return err({ reason: 'vendor_token_malformed' })
  return ok({ text, kid })
}

const REASON_OF: Readonly<Record<JwtFault, VendorTokenFailure['reason']>> = {
  malformed: 'vendor_token_malformed',
  type: 'vendor_token_type_refused',
  algorithm: 'vendor_token_algorithm_refused',
  key: 'vendor_token_key_unknown',
  signature: 'vendor_token_signature_invalid',
  claims: 'vendor_token_claims_malformed',
  issuer: 'vendor_token_issuer_mismatch',
  audience: 'vendor_token_audience_mismatch',
  expired: 'vendor_token_expired',
  early: 'vendor_token_not_yet_valid',
}

/** Verifies a JWT of a provider by the keys that it publishes (RFC 7519 §7.2, RFC 8725). */
export async function verifyVendorToken(
  { text, kid }: PeekedVendorToken,
  keys: readonly VerifyingKey[],
  expected: VendorTokenExpectation,
): Promise<Result<JWTPayload, VendorTokenFailure>> {
  const { issuers: issuer, audiences: audience, ...rest } = expected
  const jwt = await verifyJwtByKeySet(text, {
    ...{ ...rest, keys, kid, algorithm: ALGORITHM, issuer, audience },
    // `JWT`, or none: they tell their kinds apart by issuer and audience.
    types: ['', 'jwt'],
  })
  return jwt.ok ? ok(jwt.payload) : err({ reason: REASON_OF[jwt.fault] })
}
