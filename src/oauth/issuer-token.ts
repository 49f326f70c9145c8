import type { JWTPayload } from 'jose'
import { err, ok, type Result } from '../base/result.ts'
import { ACCESS_TOKEN_FAULTS, type AccessTokenFailure } from './access-token.ts'
import type { IssuerRules } from './issuer-rules.ts'
import type { VerifyingKey } from './key-set.ts'
import { SCOPES, type Scope } from './scopes.ts'
import { verifyJwtByKeySet } from './verify-jwt.ts'

/** Why a sound token of an issuer of the organisation names no caller here. */
export const ISSUER_TOKEN_REASONS = [
  /** It tells an application who signed in, and is no permission to call anybody. */
  'issuer_token_is_id_token',
  'issuer_token_claim_mismatch',
  'issuer_token_caller_missing',
  'issuer_token_lifetime_too_long',
] as const

export type IssuerTokenFailure =
  | AccessTokenFailure
  | { readonly reason: (typeof ISSUER_TOKEN_REASONS)[number]; readonly member?: string }

declare const verified: unique symbol

/** Who calls by a token of such an issuer, as far as the token itself tells; its binding is not proven yet. */
export type VerifiedIssuerToken = {
  readonly [verified]: true
  /** The name of the issuer, a colon, and who calls as the issuer knows it. */
  readonly clientId: string
  readonly scopes: readonly Scope[]
  readonly expiresAt: Date
  readonly boundTo: string | undefined
}

/** Claims of OpenID Connect Core 1.0 §2 and §3.3.2.11 that only ID tokens have. */
const OF_ID_TOKENS = ['nonce', 'at_hash', 'c_hash', 's_hash']
/** What a caller is called goes into the audit and into keys of tables. */
const CALLER = /^[\x21-\x7e]{1,128}$/

/** Verifies an access token of an issuer by its keys, and says who calls and what it may do. */
export async function verifyIssuerToken(
  token: string,
  expected: {
    readonly rules: IssuerRules
    readonly keys: readonly VerifyingKey[]
    readonly kid: string | undefined
    readonly algorithm: unknown
    readonly now: Date
    readonly clockSkewSeconds: number
  },
): Promise<Result<VerifiedIssuerToken, IssuerTokenFailure>> {
  const { rules, keys, kid, now, clockSkewSeconds } = expected
  const algorithm = rules.algorithms.find((one) => one === expected.algorithm)
  if (algorithm === undefined) return err({ reason: 'access_token_algorithm_refused' })
  const { issuer, audience, types } = rules
  const jwt = await verifyJwtByKeySet(token, {
    ...{ keys, kid, algorithm, now, clockSkewSeconds, issuer, audience, types },
    requiredClaims: ['iat'],
  })
  if (!jwt.ok) return err({ reason: ACCESS_TOKEN_FAULTS[jwt.fault] })
  return readCaller(jwt.payload, rules)
}

function readCaller(
  payload: JWTPayload,
  rules: IssuerRules,
): Result<VerifiedIssuerToken, IssuerTokenFailure> {
  const idClaim = OF_ID_TOKENS.find((name) => Object.hasOwn(payload, name))
  if (idClaim !== undefined) return err({ reason: 'issuer_token_is_id_token', member: idClaim })
  const mismatch = Object.entries(rules.claims).find(([name, value]) => payload[name] !== value)
  if (mismatch !== undefined) {
    return err({ reason: 'issuer_token_claim_mismatch', member: mismatch[0] })
  }
  const caller = payload[rules.caller_claim]
  if (typeof caller !== 'string' || !CALLER.test(caller)) {
    return err({ reason: 'issuer_token_caller_missing', member: rules.caller_claim })
  }
  const { exp = 0, iat = 0, cnf } = payload
  if (exp - iat > rules.max_lifetime_seconds) {
    return err({ reason: 'issuer_token_lifetime_too_long' })
  }
  // What else a token may be bound to is not proven here, so it must not pass for unbound.
  const boundTo: unknown = cnf === undefined ? undefined : Object(cnf).jkt
  if (cnf !== undefined && typeof boundTo !== 'string') {
    return err({ reason: 'access_token_claims_malformed' })
  }
  const told = {
    clientId: `${rules.name}:${caller}`,
    scopes: scopesOf(payload, rules),
    expiresAt: new Date(exp * 1000),
    boundTo: typeof boundTo === 'string' ? boundTo : undefined,
  }
  return ok(told as VerifiedIssuerToken)
}

/** A claim of names is a list, or a text with spaces between them as `scope` is. */
function scopesOf(payload: JWTPayload, { scopes }: IssuerRules): readonly Scope[] {
  const granted = scopes
    .filter(({ claim, value }) => valuesOf(payload[claim]).includes(value))
    .flatMap(({ grants }) => grants)
  return SCOPES.filter((scope) => granted.includes(scope))
}

function valuesOf(claim: unknown): readonly unknown[] {
  if (Array.isArray(claim)) return claim
  return typeof claim === 'string' ? claim.split(' ') : []
}
