import type { Explanation } from '../../base/explanation.ts'
import type { BeginFailure } from '../../operations/sign-in/begin-sign-in.ts'
import type { SignInFailure } from '../../operations/sign-in/find-sign-in.ts'
import type { SignInCodeFailure } from '../../operations/sign-in/redeem-code.ts'
import type { SignInPlaceFailure } from '../../vendors/oidc/authentication-request.ts'
import { type ProblemAnswer, problem } from './problem-answer.ts'

/** What persons are told on a page, and agents in a problem document. */
export type SignInProblemCode =
  | SignInFailure['reason']
  | SignInPlaceFailure['reason']
  | 'sign_in_token_refused'
  | 'sign_in_proof_refused'

/** Why a sign-in does not go on here. A new reason does not compile without a line. */
export const SIGN_IN_PROBLEMS: Readonly<Record<SignInProblemCode, ProblemAnswer>> = {
  sign_in_client_unknown: problem(
    400,
    'The identity provider that sends the browser is not registered.',
    'List its client_id in SIGN_IN_CLIENTS, as it stands there.',
  ),
  sign_in_redirect_uri_refused: problem(
    400,
    'The identity provider wants the answer at a place that is not registered for it.',
    'List the redirect URI of the request in SIGN_IN_CLIENTS, byte for byte; that of Entra follows from its cloud.',
  ),
  sign_in_unknown: problem(
    404,
    'There is no such sign-in, or none any more.',
    'Begin again at the application.',
  ),
  sign_in_of_another_browser: problem(
    403,
    'The browser is not the one that began the sign-in, or keeps no cookies.',
    'Go on in the browser that began it: the usual one of the system, where the agent was opened by its link.',
  ),
  sign_in_expired: problem(
    410,
    'No device was proven in time.',
    'Go back to the identity provider and begin again.',
  ),
  sign_in_ended: problem(
    410,
    'The identity provider has had its answer.',
    'Go on in the window that went there, or begin again at the application.',
  ),
  sign_in_ticket_refused: problem(
    400,
    'The ticket is none of ours for this sign-in.',
    'Ask the agent again from the page of the sign-in.',
  ),
  sign_in_token_refused: problem(
    401,
    'The device token does not count.',
    'Send it as it was given, as Authorization: DPoP; where it has expired, attest first.',
  ),
  sign_in_proof_refused: problem(
    401,
    'The proof does not show that the device has the key of its token.',
    'Make a DPoP proof for this URL and this token (ath), with the id of the sign-in as its nonce; the detail says what is wrong.',
  ),
}

/** Error codes of RFC 6749 §4.1.2.1 and OpenID Connect Core 1.0 §3.1.2.6, as an identity provider gets them. */
export type SignInErrorCode =
  | 'invalid_request'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'interaction_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'temporarily_unavailable'

/** What a registered identity provider is answered in the place of an ID token. */
export type SignInErrorAnswer = Explanation & { readonly error: SignInErrorCode }

const answer =
  (error: SignInErrorCode) =>
  (cause: string, change: string): SignInErrorAnswer => ({ error, cause, change })

const request = answer('invalid_request')
const hint = answer('access_denied')

/** A new reason does not compile without a line. */
export const SIGN_IN_ERRORS: Readonly<
  Record<Exclude<BeginFailure['reason'], 'jwks_unavailable'>, SignInErrorAnswer>
> = {
  sign_in_parameter_too_long: request(
    'A parameter is too long.',
    'Send state of 4,096 characters at most, and names of 512.',
  ),
  sign_in_response_type_refused: answer('unsupported_response_type')(
    'The response type is not id_token.',
    'Ask by the implicit flow: response_type=id_token.',
  ),
  sign_in_response_mode_refused: request(
    'The response mode is not form_post.',
    'Ask with response_mode=form_post: an ID token must not stand in a URL.',
  ),
  sign_in_scope_refused: answer('invalid_scope')(
    'The scope openid is missing.',
    'Ask with scope=openid.',
  ),
  sign_in_nonce_missing: request(
    'There is no nonce.',
    'Send one for each sign-in (OpenID Connect Core 1.0 §3.2.2.1).',
  ),
  sign_in_prompt_none: answer('interaction_required')(
    'A device cannot be proven without a page.',
    'Ask without prompt=none.',
  ),
  sign_in_request_object_refused: answer('request_not_supported')(
    'Request objects are not read.',
    'Send parameters by themselves.',
  ),
  sign_in_request_uri_refused: answer('request_uri_not_supported')(
    'Requests are not fetched from a URL.',
    'Send parameters by themselves.',
  ),
  sign_in_claims_malformed: request(
    'The parameter claims is no request for claims.',
    'Send JSON as OpenID Connect Core 1.0 §5.5 has it.',
  ),
  sign_in_acr_refused: answer('access_denied')(
    'None of the authentication contexts that are asked for is one that a device proves.',
    'Ask for one that possession satisfies, such as possessionorinherence.',
  ),
  sign_in_amr_refused: answer('access_denied')(
    'None of the methods that are asked for is pop, the proof of a key.',
    'Let the identity provider take pop.',
  ),
  sign_in_code_challenge_refused: request(
    'The code challenge is none by S256.',
    'Send code_challenge_method=S256 and the hash of the verifier (RFC 7636 §4.2).',
  ),
  id_token_hint_missing: request(
    'Nothing says who signs in.',
    'Let Entra send id_token_hint, as it does for an external authentication method.',
  ),
  id_token_hint_malformed: hint('The hint is no ID token.', 'Send it as Entra signed it.'),
  id_token_hint_key_unknown: hint(
    'The hint names a key that the tenant does not publish.',
    'Look whether tenant_id and cloud in SIGN_IN_CLIENTS are those of the tenant.',
  ),
  id_token_hint_algorithm_refused: hint('The hint is not signed with RS256.', 'Sign it so.'),
  id_token_hint_signature_invalid: hint(
    'The signature of the hint does not verify.',
    'Nothing, unless sign-ins of the tenant go through something that changes them.',
  ),
  id_token_hint_issuer_refused: hint(
    'The hint is of another tenant, or another cloud.',
    'Set tenant_id and cloud in SIGN_IN_CLIENTS to those of the tenant.',
  ),
  id_token_hint_audience_refused: hint(
    'The hint is for another application.',
    'Use one client_id at the external authentication method and in SIGN_IN_CLIENTS.',
  ),
  id_token_hint_issued_in_future: hint(
    'The hint was made later than now.',
    'Set the clock of this service.',
  ),
  id_token_hint_claims_malformed: hint(
    'A claim of the hint is missing or has another form.',
    'Let the application of the method ask for openid and profile, so that the hint has oid and tid.',
  ),
}

/** While the keys of a tenant cannot be fetched. */
const UNAVAILABLE = {
  error: 'temporarily_unavailable',
  error_description: 'jwks_unavailable: the keys of the tenant cannot be read at the moment',
} as const

/** The error of one failure, in the words of the standard and in ASCII. */
export function signInErrorOf({ reason }: BeginFailure) {
  if (reason === 'jwks_unavailable') return UNAVAILABLE
  const { error, cause } = SIGN_IN_ERRORS[reason]
  return { error, error_description: `${reason}: ${cause}` }
}

/** Codes of RFC 6749 §5.2. */
export type SignInCodeAnswer = Explanation & {
  readonly error: 'unsupported_grant_type' | 'invalid_grant'
}

const grant = (cause: string, change: string): SignInCodeAnswer => {
  return { error: 'invalid_grant', cause, change }
}

/** Why an identity provider that has proven itself gets no ID token for a code. */
export const SIGN_IN_CODE_ANSWERS: Readonly<Record<SignInCodeFailure['reason'], SignInCodeAnswer>> =
  {
    sign_in_grant_type_refused: {
      error: 'unsupported_grant_type',
      cause: 'The grant type is not authorization_code.',
      change: 'Ask the endpoint of the API (/oauth/token) for access tokens.',
    },
    sign_in_code_refused: grant('The code is none of ours.', 'Send it as it came.'),
    sign_in_code_expired: grant(
      'The code came later than a minute after it was made.',
      'Redeem it at once; look at the clocks.',
    ),
    sign_in_code_of_another: grant(
      'The code was made for another client, or another redirect URI.',
      'Send client_id and redirect_uri as in the request that the code answers.',
    ),
    sign_in_code_verifier_refused: grant(
      'The code verifier does not belong to the challenge.',
      'Send the verifier whose hash the request had, and none where it had no hash.',
    ),
    sign_in_code_redeemed: grant('The code was redeemed before.', 'Begin the sign-in again.'),
  }

/** The error of one failure, in the words of the standard. */
export function signInCodeErrorOf({ reason }: SignInCodeFailure) {
  const { error, cause } = SIGN_IN_CODE_ANSWERS[reason]
  return { error, error_description: `${reason}: ${cause}` }
}
