import { digestText } from '../../base/digest.ts'
import { toHex } from '../../base/encoding.ts'
import { forgetOldest } from '../../base/forget-oldest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { isSameJwk } from '../../evidence/jws/confirmation-key.ts'
import type { ClientDirectory } from '../../keys/client-directory.ts'
import type { JwksFetchFailure, PublishedKeySets } from '../../keysets/key-sets.ts'
import type { VerifiedAccessToken } from '../../oauth/access-token.ts'
import type { DpopRequest } from '../../oauth/dpop.ts'
import type { IssuerRules } from '../../oauth/issuer-rules.ts'
import {
  type IssuerTokenFailure,
  type VerifiedIssuerToken,
  verifyIssuerToken,
} from '../../oauth/issuer-token.ts'
import { findKey, type VerifyingKey } from '../../oauth/key-set.ts'
import { MAX_ACCESS_TOKEN_CHARS } from '../../oauth/limits.ts'
import type { Scope } from '../../oauth/scopes.ts'
import { peekJwt } from '../../oauth/verify-jwt.ts'
import { acceptProof, type ProofDependencies, type ProofRefusal } from './accept-proof.ts'
import { type OwnTokenDependencies, readOwnToken } from './read-token.ts'
import { type AccessTokenStandingFailure, standingOf } from './token-standing.ts'

/** Why a token does not count the way it is presented. */
export const PRESENTATION_REASONS = [
  'access_token_too_large',
  /** RFC 9449 §7.2: it is bound to a key, and came as `Bearer`, which proves none. */
  'access_token_bound',
  /** It is bound to no key, and came as `DPoP`. */
  'access_token_unbound',
] as const

export type CallerFailure =
  | { readonly reason: (typeof PRESENTATION_REASONS)[number] }
  | IssuerTokenFailure
  | AccessTokenStandingFailure
  | JwksFetchFailure
  | ProofRefusal

/** A token as a request presents it, with the proof that may be beside it. */
export type PresentedToken = {
  readonly scheme: 'Bearer' | 'DPoP'
  readonly token: string
  readonly proof: DpopRequest
}

/** Who calls, and what it may do by its token. */
export type ProvenCaller = {
  /** Of our own tokens the id of the client; of others the name of the issuer, and who calls. */
  readonly clientId: string
  readonly scopes: readonly Scope[]
  /** What the next proof is to be made with, where that is another nonce than now. */
  readonly nonce: string | undefined
}

export type CallerDependencies = OwnTokenDependencies &
  ProofDependencies & {
    readonly clients: Pick<ClientDirectory, 'find'>
    readonly issuers: readonly IssuerRules[]
    readonly keySets: PublishedKeySets
  }

/** Tokens whose signature was verified here and that have not ended, by their hash. */
const MOST_REMEMBERED = 10_000

/** What was verified of a token, and by which key: that one has to be accepted still. */
type Remembered =
  | { readonly kind: 'own'; readonly kid: string; readonly token: VerifiedAccessToken }
  | {
      readonly kind: 'issuer'
      readonly rules: IssuerRules
      readonly kid: string | undefined
      readonly key: VerifyingKey | undefined
      readonly token: VerifiedIssuerToken
    }

export type VerifyCaller = (
  presented: PresentedToken,
) => Promise<Result<ProvenCaller, CallerFailure>>

/**
 * Knows callers by their access tokens (RFC 6750 §2.1, RFC 9449 §7.1). A token is verified once in a process
 * and then remembered until it ends, so that the next request by it costs a hash. For each request anew it is
 * looked at whether its key is accepted still, whether it and its client count (as of seconds ago), and, of a
 * bound token, at the proof, which is one statement of the database.
 */
export function createCallerVerifier(dependencies: CallerDependencies): VerifyCaller {
  const remembered = new Map<string, Remembered>()

  const verified = async (text: string): Promise<Result<Remembered, CallerFailure>> => {
    if (text.length > MAX_ACCESS_TOKEN_CHARS) return err({ reason: 'access_token_too_large' })
    const name = toHex(digestText('sha256', text))
    const known = remembered.get(name)
    if (known !== undefined && (await countsStill(dependencies, known))) return ok(known)
    remembered.delete(name)
    const read = await readToken(dependencies, text)
    if (!read.ok) return read
    remembered.set(name, read.value)
    forgetOldest(remembered, MOST_REMEMBERED)
    return read
  }

  return async ({ scheme, token: text, proof }) => {
    const read = await verified(text)
    if (!read.ok) return read
    const { token } = read.value
    const { boundTo } = token
    if (scheme === 'Bearer' && boundTo !== undefined) return err({ reason: 'access_token_bound' })
    if (scheme === 'DPoP' && boundTo === undefined) return err({ reason: 'access_token_unbound' })
    const scopes = await scopesOf(dependencies, read.value)
    if (!scopes.ok) return scopes
    const caller = { clientId: token.clientId, scopes: scopes.value }
    if (boundTo === undefined) return ok({ ...caller, nonce: undefined })
    const accepted = await acceptProof(dependencies, proof, { text, boundTo })
    return accepted.ok ? ok({ ...caller, nonce: accepted.value.nonce }) : accepted
  }
}

async function countsStill(
  { accessTokenKey, keySets, clock }: CallerDependencies,
  known: Remembered,
): Promise<boolean> {
  if (clock() >= known.token.expiresAt) return false
  if (known.kind === 'own') return (await accessTokenKey(known.kid)) !== undefined
  const keys = await keySets.keysAt(known.rules.jwks_uri, known.kid)
  const key = keys.ok ? findKey(keys.value, known.kid) : undefined
  return key !== undefined && known.key !== undefined && isSameJwk(key.jwk, known.key.jwk)
}

/** Its issuer is what the token says: that only chooses by whose keys it is verified. */
async function readToken(
  dependencies: CallerDependencies,
  text: string,
): Promise<Result<Remembered, CallerFailure>> {
  const { issuer, issuers, keySets, clock, clockSkewSeconds } = dependencies
  const jws = peekJwt(text, MAX_ACCESS_TOKEN_CHARS)
  if (jws === undefined) return err({ reason: 'access_token_malformed' })
  const { kid, alg: algorithm } = jws.header
  if (kid !== undefined && typeof kid !== 'string') return err({ reason: 'access_token_malformed' })
  const { iss } = jws.payload
  if (iss === issuer) {
    const read = await readOwnToken(dependencies, text)
    return read.ok ? ok({ kind: 'own', kid: kid ?? '', token: read.value }) : read
  }
  const rules = issuers.find((one) => one.issuer === iss)
  if (rules === undefined) return err({ reason: 'access_token_issuer_unknown' })
  const keys = await keySets.keysAt(rules.jwks_uri, kid)
  if (!keys.ok) return keys
  const expected = { rules, kid, algorithm, keys: keys.value, now: clock(), clockSkewSeconds }
  const read = await verifyIssuerToken(text, expected)
  if (!read.ok) return read
  return ok({ kind: 'issuer', rules, kid, key: findKey(keys.value, kid), token: read.value })
}

async function scopesOf(
  { clients }: CallerDependencies,
  known: Remembered,
): Promise<Result<readonly Scope[], AccessTokenStandingFailure>> {
  return known.kind === 'own' ? standingOf(clients, known.token) : ok(known.token.scopes)
}
