import type { SessionFailure } from '../../people/session.ts'
import type { IssuerUnavailable } from './issuer.ts'

/** Why somebody who signs in is not let in. */
export const CONSOLE_SIGN_IN_REASONS = [
  /** The state that came back is none of ours, or is missing. */
  'console_state_refused',
  /** Another browser began the sign-in, or this one keeps no cookies. */
  'console_browser_refused',
  'console_sign_in_expired',
  /** What it was begun with was used before. */
  'console_sign_in_repeated',
  /** The answer is of another issuer than the one that was asked. RFC 9207 */
  'console_issuer_mixed_up',
  /** The issuer let nobody in, and says why. OpenID Connect Core 1.0 §3.1.2.6 */
  'console_issuer_refused',
  /** The issuer gives nothing for the code: it is none of this sign-in, or was used. */
  'console_code_refused',
  /** The issuer does not take our client id and secret. */
  'console_client_refused',
  /** The ID token is of another sign-in. */
  'console_nonce_refused',
  /** The ID token is for another client. */
  'console_audience_refused',
  'console_id_token_refused',
  /** No value of the claim gives a role here. */
  'console_role_missing',
] as const

/** Why a one-time link lets nobody in. */
export const CONSOLE_LINK_REASONS = [
  'console_link_refused',
  'console_link_expired',
  'console_link_spent',
  /** There is an issuer, or others than this machine reach the service. */
  'console_link_not_allowed',
] as const

export type SignInRefusal = {
  readonly reason: (typeof CONSOLE_SIGN_IN_REASONS)[number]
  /** For the operator, in the log and the audit. */
  readonly detail?: string
}

export type LinkRefusal = { readonly reason: (typeof CONSOLE_LINK_REASONS)[number] }

export type PersonFailure = SignInRefusal | LinkRefusal | IssuerUnavailable | SessionFailure
