import type { Explanation } from '../../base/explanation.ts'
import type { ProofFailure } from '../../evidence/jws/confirmation.ts'
import type { ClientFailure } from '../../keys/client-directory.ts'
import type { FormFailure } from '../../oauth/token-form.ts'
import type { ClientAuthenticationFailure } from '../../operations/oauth/authenticate-client.ts'
import type { TokenFailure } from '../../operations/oauth/issue-token.ts'
import type { RevocationFailure } from '../../operations/oauth/revoke-token.ts'
import type { CallerFailure } from '../../operations/oauth/verify-caller.ts'

/** The codes of the standards: RFC 6749 §5.2, RFC 8707 §2, RFC 9449 §5 and §8. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'temporarily_unavailable'

/** What of a request to an OAuth endpoint can be refused, but for what other surfaces tell as well. */
export type OAuthReason = Exclude<
  | FormFailure['reason']
  | ClientAuthenticationFailure['reason']
  | TokenFailure['reason']
  | RevocationFailure['reason']
  | 'form_content_type_refused',
  ClientFailure['reason'] | ProofFailure['reason']
>

/** One reason: status and code of the answer, and for people what is wrong and what to change. */
export type OAuthAnswer = Explanation & {
  readonly status: 400 | 401 | 503
  readonly error: OAuthErrorCode
}

const answer =
  (status: OAuthAnswer['status'], error: OAuthErrorCode) =>
  (cause: string, change: string): OAuthAnswer => ({ status, error, cause, change })

const request = answer(400, 'invalid_request')
const client = answer(401, 'invalid_client')
const proof = answer(400, 'invalid_dpop_proof')
const nonce = answer(400, 'use_dpop_nonce')

/** What is answered by the OAuth endpoints. A new reason does not compile without a line. */
export const OAUTH_ANSWERS: Readonly<Record<OAuthReason, OAuthAnswer>> = {
  form_content_type_refused: request(
    'The body is no form.',
    'Send Content-Type: application/x-www-form-urlencoded.',
  ),
  form_malformed: request('The form cannot be read.', 'Encode names and values as forms are.'),
  form_parameter_repeated: request('A parameter is there twice.', 'Send each parameter once.'),
  form_too_many_parameters: request(
    'There are too many parameters.',
    'Send those that the endpoint takes.',
  ),
  client_authentication_missing: client(
    'Nobody is named who asks.',
    'Send id and secret by HTTP Basic, or a client_assertion.',
  ),
  client_authentication_repeated: request(
    'The client proves itself in two ways.',
    'Use HTTP Basic or an assertion, and not both.',
  ),
  client_secret_in_body: request(
    'The secret is in the body, where logs may keep it.',
    'Send it by HTTP Basic (client_secret_basic).',
  ),
  client_id_differs: request(
    'The client_id is not the client that proves itself.',
    'Leave client_id out.',
  ),
  client_basic_malformed: client(
    'The header Authorization is not HTTP Basic.',
    'Send base64 of the form-encoded id, a colon, and the form-encoded secret.',
  ),
  client_has_no_keys: client(
    'The client proves itself by a secret.',
    'Send its secret by HTTP Basic, or create a client with keys.',
  ),
  assertion_type_unknown: request(
    'The client_assertion_type is another one.',
    'Use urn:ietf:params:oauth:client-assertion-type:jwt-bearer.',
  ),
  assertion_malformed: client('The client_assertion is no JWT.', 'Send a compact JWS.'),
  assertion_type_refused: client(
    'The assertion is a JWT of another type.',
    'Leave typ out, or set JWT or client-authentication+jwt.',
  ),
  assertion_algorithm_refused: client(
    'The assertion is signed by an algorithm that its key is not for.',
    'Sign with ES256, PS256 or RS256, as the key says.',
  ),
  assertion_key_unknown: client(
    'The client has no such key.',
    'Name one of its keys as kid, or give it the key (clients keys).',
  ),
  assertion_signature_invalid: client(
    'The signature of the assertion is wrong.',
    'Sign with the private half of the key that kid names.',
  ),
  assertion_issuer_mismatch: client(
    'Another client made the assertion.',
    'Set iss and sub to the client_id.',
  ),
  assertion_audience_mismatch: client(
    'The assertion is not for this service alone.',
    'Set aud to the issuer of the metadata, as one text.',
  ),
  assertion_expired: client('The assertion has expired.', 'Make one for each request.'),
  assertion_not_yet_valid: client('The assertion is from the future.', 'Check the clock.'),
  assertion_lifetime_too_long: client(
    'The assertion lives too long.',
    'Set exp an hour ahead at most; a minute does.',
  ),
  assertion_claims_malformed: client(
    'A claim of the assertion is missing or of another type.',
    'Set iss, sub, aud, jti and exp.',
  ),
  assertion_replayed: client('The assertion was used before.', 'Make one for each request.'),
  jwks_unavailable: answer(503, 'temporarily_unavailable')(
    'The key set cannot be had at the moment.',
    'Look whether its address is public and answers; then ask again.',
  ),
  grant_type_missing: request('The grant_type is missing.', 'Send client_credentials.'),
  grant_type_unsupported: answer(400, 'unsupported_grant_type')(
    'There is no such grant here.',
    'Send client_credentials.',
  ),
  token_resource_unknown: answer(400, 'invalid_target')(
    'The token is asked for another service.',
    'Leave resource out, or set it to the issuer.',
  ),
  scope_refused: answer(400, 'invalid_scope')(
    'The client does not have that scope.',
    'Ask for its scopes, with one space between, or leave scope out.',
  ),
  dpop_missing: proof('There is no proof.', 'Send the header DPoP.'),
  dpop_repeated: proof('There are several proofs.', 'Send one header DPoP.'),
  dpop_token_mismatch: proof(
    'The proof is for another access token.',
    'Set ath to the SHA-256 of the token in base64url.',
  ),
  dpop_nonce_missing: nonce(
    'The proof needs a nonce of this service.',
    'Set nonce to the value of the header DPoP-Nonce, and ask again.',
  ),
  dpop_nonce_refused: nonce(
    'The nonce of the proof does not count any more.',
    'Set nonce to the value of the header DPoP-Nonce, and ask again.',
  ),
  dpop_replayed: proof('The proof was used before.', 'Make one for each request.'),
  token_parameter_missing: request('The parameter token is missing.', 'Send the token.'),
  token_of_another_client: answer(400, 'invalid_grant')(
    'The token was issued to another client.',
    'Let that client revoke it, or disable it.',
  ),
}

/** What of an access token can be refused where it is presented: 401, `invalid_token` (RFC 6750 §3.1). */
export type PresentedReason = Exclude<CallerFailure['reason'], ProofFailure['reason'] | OAuthReason>

const told = (cause: string, change: string): Explanation => ({ cause, change })

export const PRESENTED_ANSWERS: Readonly<Record<PresentedReason, Explanation>> = {
  access_token_too_large: told('The access token is too large.', 'Have its issuer say less in it.'),
  access_token_malformed: told('The access token is no JWT.', 'Send it as it was issued.'),
  access_token_issuer_unknown: told(
    'Nobody known issued the access token.',
    'Get one at the token endpoint, or have its issuer configured (OAUTH_ISSUERS).',
  ),
  access_token_key_unknown: told(
    'No key of its issuer signed the access token.',
    'Get another one.',
  ),
  access_token_type_refused: told(
    'The token is of another type, and no access token.',
    'Send the access_token that the token endpoint gave.',
  ),
  access_token_algorithm_refused: told(
    'The access token is signed otherwise than its issuer signs.',
    'Get another one.',
  ),
  access_token_signature_invalid: told(
    'The access token was changed.',
    'Send it as it was issued.',
  ),
  access_token_issuer_mismatch: told('Another issuer is named.', 'Get another one.'),
  access_token_audience_mismatch: told(
    'The access token is for another service.',
    'Ask for one whose audience is this service.',
  ),
  access_token_expired: told('The access token has expired.', 'Get another one.'),
  access_token_not_yet_valid: told('The access token is not valid yet.', 'Check the clocks.'),
  access_token_claims_malformed: told(
    'A claim of the access token is missing or of another type.',
    'Get another one.',
  ),
  access_token_client_unknown: told('Its client is not known.', 'Create a client.'),
  access_token_client_disabled: told('Its client is disabled.', 'Create another client.'),
  access_token_superseded: told(
    'The secret or the keys of its client changed, and its tokens ended with them.',
    'Get another one with the new secret or key.',
  ),
  access_token_revoked: told('The access token was revoked.', 'Get another one.'),
  access_token_bound: told(
    'The access token is bound to a key that has to be proven.',
    'Send it as DPoP, with a proof.',
  ),
  access_token_unbound: told('The access token is bound to no key.', 'Send it as Bearer.'),
  issuer_token_is_id_token: told(
    'The token is an ID token, and no access token.',
    'Ask the issuer for an access token to this service.',
  ),
  issuer_token_claim_mismatch: told(
    'A claim of the token is not what the configuration asks for.',
    'Look at claims of the issuer in OAUTH_ISSUERS.',
  ),
  issuer_token_caller_missing: told(
    'The token does not say who calls.',
    'Look at caller_claim of the issuer in OAUTH_ISSUERS.',
  ),
  issuer_token_lifetime_too_long: told(
    'The token lives longer than is accepted of its issuer.',
    'Look at max_lifetime_seconds of the issuer in OAUTH_ISSUERS.',
  ),
}
