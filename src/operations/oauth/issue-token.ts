import { toBase32 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { AccessToken } from '../../oauth/access-token.ts'
import type { DpopRequest } from '../../oauth/dpop.ts'
import { grantScopes, type Scope, type ScopeFailure } from '../../oauth/scopes.ts'
import type { Form } from '../../oauth/token-form.ts'
import type { StoredClient } from '../../store/system/clients.ts'
import {
  type AcceptedProof,
  acceptProof,
  type ProofDependencies,
  type ProofRefusal,
} from './accept-proof.ts'

/** Why a client that is known gets no token. */
export const TOKEN_REASONS = [
  'grant_type_missing',
  'grant_type_unsupported',
  /** RFC 8707 §2: we are the one resource that our tokens are for. */
  'token_resource_unknown',
] as const

export type TokenFailure =
  | { readonly reason: (typeof TOKEN_REASONS)[number]; readonly expected?: string }
  | ScopeFailure
  | ProofRefusal

export type TokenDependencies = ProofDependencies & {
  readonly issuer: string
  readonly tokenSeconds: number
  readonly random: (length: number) => Uint8Array
  readonly signAccessToken: (token: AccessToken) => Promise<string>
}

/** RFC 6749 §5.1. */
export type IssuedToken = {
  readonly accessToken: string
  readonly type: 'Bearer' | 'DPoP'
  readonly seconds: number
  readonly scopes: readonly Scope[]
  /** What the next proof is to be made with, where that is another nonce than now. */
  readonly nonce: string | undefined
}

const TOKEN_ID_BYTES = 16

/**
 * Issues an access token to a client for itself (RFC 6749 §4.4), bound to the key of its proof where it sent
 * one (RFC 9449 §5). Nothing is stored of it.
 */
export async function issueToken(
  dependencies: TokenDependencies,
  request: { readonly client: StoredClient; readonly form: Form; readonly proof: DpopRequest },
): Promise<Result<IssuedToken, TokenFailure>> {
  const { issuer, tokenSeconds: seconds, random, clock, signAccessToken } = dependencies
  const { client, form } = request
  const grantType = form.get('grant_type')
  if (grantType === undefined) return err({ reason: 'grant_type_missing' })
  if (grantType !== 'client_credentials') {
    return err({ reason: 'grant_type_unsupported', expected: 'client_credentials' })
  }
  const resource = form.get('resource')
  if (resource !== undefined && resource.replace(/\/$/, '') !== issuer) {
    return err({ reason: 'token_resource_unknown', expected: issuer })
  }
  const scopes = grantScopes(form.get('scope'), client.scopes)
  if (!scopes.ok) return scopes
  const proof = await proofOf(dependencies, request.proof)
  if (!proof.ok) return proof
  const boundTo = proof.value?.thumbprint
  const issuedAt = clock()
  const accessToken = await signAccessToken({
    ...{ boundTo, issuedAt, scopes: scopes.value },
    clientId: client.clientId,
    generation: client.generation,
    tokenId: `tok_${toBase32(random(TOKEN_ID_BYTES))}`,
    expiresAt: new Date(issuedAt.getTime() + seconds * 1000),
  })
  const type = boundTo === undefined ? 'Bearer' : 'DPoP'
  return ok({ accessToken, type, seconds, scopes: scopes.value, nonce: proof.value?.nonce })
}

async function proofOf(
  dependencies: ProofDependencies,
  proof: DpopRequest,
): Promise<Result<AcceptedProof | undefined, ProofRefusal>> {
  return proof.header === undefined ? ok(undefined) : acceptProof(dependencies, proof)
}
