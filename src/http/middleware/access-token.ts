import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import type {
  CallerFailure,
  PresentedToken,
  VerifyCaller,
} from '../../operations/oauth/verify-caller.ts'
import type { Caller, HttpContext } from '../environment.ts'
import { refuseToken, type TokenError } from './challenges.ts'
import type { RefuseClient } from './refuse-client.ts'
import { type KnownOrigins, urlOf } from './request-url.ts'

/** What callers with access tokens are known by. */
export type TokenServices = KnownOrigins & {
  readonly verifyCaller: VerifyCaller
  /** URL of the metadata of this API. RFC 9728 §3 */
  readonly resourceMetadata: string
  readonly metrics: Metrics
  /** For what anybody can bring about. */
  readonly logBudget: LogBudget
  readonly clock: () => Date
}

/** RFC 6750 §2.1, RFC 9449 §7.1; whether it is a token is for whoever reads it. */
const TOKEN = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i

/**
 * The access token of the header `Authorization`, in which alone it may come: not of the URL, where logs keep
 * it, and not of the body (RFC 6750 §2). `undefined` for any other header.
 */
export function readPresented(
  c: HttpContext,
  origins: KnownOrigins,
  authorization: string | undefined,
): PresentedToken | undefined {
  const [, scheme, token] = TOKEN.exec(authorization ?? '') ?? []
  if (scheme === undefined || token === undefined) return undefined
  const proof = { header: c.req.header('dpop'), method: c.req.method, url: urlOf(c, origins) }
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token, proof }
}

/**
 * Who has the token, or the answer that refuses it. Tokens are not guessed at, and one that has just ended
 * must be told so however many are refused: so nobody is told to wait, and the log has a budget.
 */
export async function answerCaller(
  c: HttpContext,
  services: TokenServices,
  asked: {
    readonly presented: PresentedToken
    readonly scope: string
    readonly refuse: RefuseClient
  },
): Promise<Caller | Response> {
  const { presented, scope, refuse } = asked
  const proven = await services.verifyCaller(presented)
  if (proven.ok) {
    const { nonce } = proven.value
    if (nonce !== undefined) c.header('dpop-nonce', nonce)
    return proven.value
  }
  const { failure } = proven
  noteRefusedToken(c, services, { reason: failure.reason, scope })
  if (failure.reason === 'jwks_unavailable') {
    c.header('retry-after', String(failure.retryAfterSeconds))
    return refuse(c, 'unavailable', 'the keys of the issuer cannot be had at the moment')
  }
  if ('nonce' in failure && failure.nonce !== undefined) c.header('dpop-nonce', failure.nonce)
  refuseToken(c, services.resourceMetadata, errorOf(failure, presented.scheme))
  return refuse(c, 'unauthenticated', `the access token is refused: ${failure.reason}`)
}

function noteRefusedToken(
  c: HttpContext,
  { metrics, logBudget, clock }: TokenServices,
  { reason, scope }: { readonly reason: string; readonly scope: string },
): void {
  metrics.clientRefusals.inc({ reason })
  const fields = { request_id: c.get('requestId'), reason, scope }
  logBudget.write('warn', 'access_token_refused', reason, fields, clock())
}

function errorOf({ reason }: CallerFailure, scheme: PresentedToken['scheme']): TokenError {
  const description = reason
  if (reason === 'dpop_nonce_missing' || reason === 'dpop_nonce_refused') {
    return { scheme: 'DPoP', error: 'use_dpop_nonce', description }
  }
  // RFC 9449 §7.1: that a key is not the one of the token is a fault of the token.
  const isOfKey = reason === 'proof_key_mismatch'
  const isOfProof = reason.startsWith('proof_') || reason.startsWith('dpop_')
  if (isOfProof && !isOfKey) return { scheme: 'DPoP', error: 'invalid_dpop_proof', description }
  const wants = reason === 'access_token_bound' ? 'DPoP' : scheme
  return { scheme: wants, error: 'invalid_token', description }
}
