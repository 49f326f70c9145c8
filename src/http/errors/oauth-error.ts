import { explainInWords } from '../../base/explanation.ts'
import type { FormFailure } from '../../oauth/token-form.ts'
import type { ClientAuthenticationFailure } from '../../operations/oauth/authenticate-client.ts'
import type { TokenFailure } from '../../operations/oauth/issue-token.ts'
import type { RevocationFailure } from '../../operations/oauth/revoke-token.ts'
import type { HttpContext } from '../environment.ts'
import type { RequestFailure } from '../read-json.ts'
import { OAUTH_ANSWERS, type OAuthErrorCode, type OAuthReason } from './oauth-answers.ts'
import { statusOf } from './problem.ts'
import type { SharedCode } from './problem-code.ts'

/** Why an OAuth endpoint refuses a request. */
export type OAuthFailure =
  | FormFailure
  | ClientAuthenticationFailure
  | TokenFailure
  | RevocationFailure
  | { readonly reason: 'form_content_type_refused' }

export const BASIC_CHALLENGE = 'Basic realm="countersign", charset="UTF-8"'

/** Answers as RFC 6749 §5.2 has it, with a fresh nonce where the failure brings one (RFC 9449 §8). */
export function answerOAuthFailure(c: HttpContext, failure: OAuthFailure): Response {
  if ('nonce' in failure && failure.nonce !== undefined) c.header('dpop-nonce', failure.nonce)
  if ('retryAfterSeconds' in failure) c.header('retry-after', String(failure.retryAfterSeconds))
  const { status, error, description } = answerOf(failure.reason)
  if (status === 401) c.header('www-authenticate', BASIC_CHALLENGE)
  return c.json({ error, error_description: description }, status)
}

function answerOf(reason: OAuthFailure['reason']) {
  if (isOwn(reason)) {
    const { status, error } = OAUTH_ANSWERS[reason]
    const description = `${reason}: ${explainInWords(OAUTH_ANSWERS[reason])}`
    return { status, error, description } as const
  }
  const ofProof = { status: 400, error: 'invalid_dpop_proof', description: reason } as const
  // Nobody is told whether there is such a client.
  const description = 'client credentials are missing or wrong'
  return reason.startsWith('proof_')
    ? ofProof
    : ({ status: 401, error: 'invalid_client', description } as const)
}

function isOwn(reason: OAuthFailure['reason']): reason is OAuthReason {
  return Object.hasOwn(OAUTH_ANSWERS, reason)
}

/** Codes of what can be wrong before, after and around every endpoint, in the words of OAuth. */
export function answerOAuthError(c: HttpContext, code: SharedCode, message: string): Response {
  const status = statusOf(code)
  return c.json({ error: oauthErrorOf(status), error_description: message }, status)
}

/** The code of OAuth for what has this status on every surface. */
export function oauthErrorOf(status: number): OAuthErrorCode | 'server_error' {
  if (status === 503 || status === 429) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}

/** Answers a body that no room has looked at. */
export function answerFormFailure(c: HttpContext, failure: RequestFailure): Response {
  return answerOAuthError(c, failure.reason, failure.detail)
}
