import type { JWTPayload } from 'jose'
import { type JwsSigner, signCompactJws } from '../access/compact-jws.ts'
import { err, ok, type Result } from '../base/result.ts'
import { readScopes, type Scope } from './scopes.ts'
import { type JwtFault, verifyJwt } from './verify-jwt.ts'

/** `typ` of an access token, which no other token of ours has. RFC 9068 §2.1 */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** Why a text is no access token of ours that counts now, as far as the token itself tells. */
export const ACCESS_TOKEN_REASONS = [
  'access_token_malformed',
  'access_token_issuer_unknown',
  'access_token_key_unknown',
  'access_token_type_refused',
  'access_token_algorithm_refused',
  'access_token_signature_invalid',
  'access_token_issuer_mismatch',
  'access_token_audience_mismatch',
  'access_token_expired',
  'access_token_not_yet_valid',
  'access_token_claims_malformed',
] as const

export type AccessTokenFailure = { readonly reason: (typeof ACCESS_TOKEN_REASONS)[number] }

export const ACCESS_TOKEN_FAULTS: Readonly<Record<JwtFault, AccessTokenFailure['reason']>> = {
  malformed: 'access_token_malformed',
  type: 'access_token_type_refused',
  algorithm: 'access_token_algorithm_refused',
  key: 'access_token_key_unknown',
  signature: 'access_token_signature_invalid',
  claims: 'access_token_claims_malformed',
  issuer: 'access_token_issuer_mismatch',
  audience: 'access_token_audience_mismatch',
  expired: 'access_token_expired',
  early: 'access_token_not_yet_valid',
}

/** What an access token of ours says. */
export type AccessToken = {
  readonly tokenId: string
  readonly clientId: string
  readonly scopes: readonly Scope[]
  /** Of the client when the token was issued: it counts while the client has the same. */
  readonly generation: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** RFC 7638 thumbprint of the key that it is bound to (RFC 9449 §6.1); absent for a bearer token. */
  readonly boundTo: string | undefined
}

declare const verified: unique symbol

/**
 * An access token whose signature, issuer, audience and time are verified. Whether its client still may,
 * and whether whoever sent it has the key that it is bound to, is not known.
 */
export type VerifiedAccessToken = AccessToken & { readonly [verified]: true }

/** Signs an access token (RFC 9068 §2.2): we are its issuer and its audience. */
export function issueAccessToken(
  token: AccessToken,
  { issuer, signer }: { readonly issuer: string; readonly signer: JwsSigner },
): Promise<string> {
  const { clientId, scopes, tokenId, generation, boundTo } = token
  const payload: JWTPayload = {
    iss: issuer,
    aud: issuer,
    sub: clientId,
    client_id: clientId,
    scope: scopes.join(' '),
    jti: tokenId,
    iat: toSeconds(token.issuedAt),
    exp: toSeconds(token.expiresAt),
    generation,
    ...(boundTo !== undefined && { cnf: { jkt: boundTo } }),
  }
  return signCompactJws(payload, { typ: ACCESS_TOKEN_TYPE, signer })
}

/** Verifies an access token of ours (RFC 9068 §4) by the key that its header names among ours. */
export async function verifyAccessToken(
  token: string,
  expected: { readonly issuer: string; readonly key: CryptoKey; readonly now: Date },
): Promise<Result<VerifiedAccessToken, AccessTokenFailure>> {
  const { issuer, key, now } = expected
  const jwt = await verifyJwt(token, {
    ...{ key, now, issuer, audience: issuer },
    algorithms: ['ES256'],
    types: [ACCESS_TOKEN_TYPE],
    requiredClaims: ['sub', 'client_id', 'scope', 'jti', 'iat', 'generation'],
    clockSkewSeconds: CLOCKS_OF_ONE_SERVICE,
  })
  if (!jwt.ok) return err({ reason: ACCESS_TOKEN_FAULTS[jwt.fault] })
  const { sub, client_id: clientId, scope, jti, iat, exp, generation, cnf } = jwt.payload
  const boundTo: unknown = cnf === undefined ? undefined : Object(cnf).jkt
  if (
    typeof sub !== 'string' ||
    clientId !== sub ||
    typeof jti !== 'string' ||
    typeof iat !== 'number' ||
    typeof exp !== 'number' ||
    !Number.isSafeInteger(generation) ||
    (cnf !== undefined && typeof boundTo !== 'string')
  ) {
    return err({ reason: 'access_token_claims_malformed' })
  }
  const told: AccessToken = {
    tokenId: jti,
    clientId: sub,
    scopes: readScopes(scope),
    generation: Number(generation),
    issuedAt: new Date(iat * 1000),
    expiresAt: new Date(exp * 1000),
    boundTo: typeof boundTo === 'string' ? boundTo : undefined,
  }
  return ok(told as VerifiedAccessToken)
}

/** Seconds by which the clocks of the processes of one service may differ. */
const CLOCKS_OF_ONE_SERVICE = 5

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
