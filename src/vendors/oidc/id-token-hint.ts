import type { JWTPayload } from 'jose'
import { isNumericDate } from '../../base/numeric-date.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { VerifyingKey } from '../../oauth/key-set.ts'
import { type JwtFault, peekJwt, verifyJwtByKeySet } from '../../oauth/verify-jwt.ts'
import type { Person } from './authentication-request.ts'
import { MAX_HINT_CHARS, MAX_NAME_CHARS } from './limits.ts'
import type { EntraClient } from './sign-in-clients.ts'

/** Why a hint does not say who signs in. */
export const ID_TOKEN_HINT_REASONS = [
  'id_token_hint_missing',
  'id_token_hint_malformed',
  'id_token_hint_key_unknown',
  'id_token_hint_algorithm_refused',
  'id_token_hint_signature_invalid',
  'id_token_hint_issuer_refused',
  'id_token_hint_audience_refused',
  'id_token_hint_issued_in_future',
  'id_token_hint_claims_malformed',
] as const

export type IdTokenHintFailure = { readonly reason: (typeof ID_TOKEN_HINT_REASONS)[number] }

const ALGORITHM = 'RS256'
/** Entra makes a hint that has ended a second before it was made, so that it is good for nothing else. */
const MADE_WITHIN_SECONDS = 300

const REASON_OF: Readonly<Record<JwtFault, IdTokenHintFailure['reason']>> = {
  malformed: 'id_token_hint_malformed',
  type: 'id_token_hint_malformed',
  algorithm: 'id_token_hint_algorithm_refused',
  key: 'id_token_hint_key_unknown',
  signature: 'id_token_hint_signature_invalid',
  claims: 'id_token_hint_claims_malformed',
  issuer: 'id_token_hint_issuer_refused',
  audience: 'id_token_hint_audience_refused',
  // It is verified as of when it was made.
  expired: 'id_token_hint_claims_malformed',
  early: 'id_token_hint_claims_malformed',
}

/** The key that a hint names; unverified, and good for finding the key alone. */
export function keyNameOfHint(hint: string | undefined): Result<string, IdTokenHintFailure> {
  if (hint === undefined) return err({ reason: 'id_token_hint_missing' })
  const kid = peekJwt(hint, MAX_HINT_CHARS)?.header.kid
  if (typeof kid === 'string') return ok(kid)
  return err({ reason: 'id_token_hint_malformed' })
}

/**
 * Verifies the hint by which Entra says who signs in: an ID token of the tenant for us. Its end may be past,
 * as Entra documents: it is verified as of when it was made, and says nothing but whom the answer is about.
 * Whoever replays one has the answer sent to Entra, which looks for its own nonce and state.
 */
export async function verifyIdTokenHint(
  hint: string,
  expected: {
    readonly client: EntraClient
    readonly keys: readonly VerifyingKey[]
    readonly now: Date
    readonly clockSkewSeconds: number
  },
): Promise<Result<Person, IdTokenHintFailure>> {
  const { client, keys, now, clockSkewSeconds } = expected
  const jws = peekJwt(hint, MAX_HINT_CHARS)
  if (jws === undefined) return err({ reason: 'id_token_hint_malformed' })
  const { kid, alg } = jws.header
  const { iat } = jws.payload
  if (alg !== ALGORITHM) return err({ reason: 'id_token_hint_algorithm_refused' })
  if (!isNumericDate(iat)) return err({ reason: 'id_token_hint_claims_malformed' })
  if (typeof kid !== 'string') return err({ reason: 'id_token_hint_key_unknown' })
  const verified = await verifyJwtByKeySet(hint, {
    ...{ keys, kid, algorithm: ALGORITHM, types: ['jwt'], clockSkewSeconds: MADE_WITHIN_SECONDS },
    ...{ issuer: client.hintIssuer, audience: client.clientId, now: new Date(iat * 1000) },
    requiredClaims: ['iat', 'sub', 'oid', 'tid'],
  })
  if (!verified.ok) return err({ reason: REASON_OF[verified.fault] })
  if (iat > now.getTime() / 1000 + clockSkewSeconds) {
    return err({ reason: 'id_token_hint_issued_in_future' })
  }
  return readPerson(verified.payload)
}

/** `tid` is the tenant that the user is from, and of a guest not the one that signed. */
function readPerson({
  sub,
  oid,
  tid,
  preferred_username: username,
}: JWTPayload): Result<Person, IdTokenHintFailure> {
  if (!isName(sub) || !isName(oid) || !isName(tid)) {
    return err({ reason: 'id_token_hint_claims_malformed' })
  }
  return ok({ subject: sub, id: oid, tenantId: tid, username: isName(username) ? username : null })
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARS
}
