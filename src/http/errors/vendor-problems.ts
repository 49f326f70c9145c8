import type { CloudflareRefusal } from '../../operations/vendors/answer-cloudflare.ts'
import type { EntraRefusal } from '../../operations/vendors/answer-entra.ts'
import type { OktaHookFailure } from '../../vendors/okta/token-hook.ts'
import { type ProblemAnswer, problem } from './problem-answer.ts'

/** What identity providers are refused for, by their own endpoints here. */
export type VendorProblemCode = Exclude<
  (CloudflareRefusal | EntraRefusal | OktaHookFailure)['reason'],
  'jwks_unavailable'
>

/** What is answered to identity providers. A new reason does not compile without a line. */
export const VENDOR_PROBLEMS: Readonly<Record<VendorProblemCode, ProblemAnswer>> = {
  vendor_token_missing: problem(
    401,
    'There is no token of the provider.',
    'Have the provider itself call, as its guide in docs/guides says.',
  ),
  vendor_token_malformed: problem(401, 'The token is no JWT.', 'Send it as it was issued.'),
  vendor_token_algorithm_refused: problem(
    401,
    'The token is not signed with RS256.',
    'Have the provider itself call: it signs with RS256.',
  ),
  vendor_token_key_unknown: problem(
    401,
    'No key of the provider signed the token.',
    'Check tenant and team in the configuration; keys are fetched anew twice a minute.',
  ),
  vendor_token_type_refused: problem(
    401,
    'The token is of another type.',
    'Send the token that the provider calls this endpoint with.',
  ),
  vendor_token_signature_invalid: problem(
    401,
    'The token was changed.',
    'Send it as it was issued.',
  ),
  vendor_token_issuer_mismatch: problem(
    401,
    'The token is of another tenant or team.',
    'Check ENTRA_TENANT_ID, ENTRA_AUTHORITY or CLOUDFLARE_TEAM.',
  ),
  vendor_token_audience_mismatch: problem(
    401,
    'The token is for another application.',
    'Check ENTRA_APP_ID or CLOUDFLARE_POSTURE_AUDIENCE.',
  ),
  vendor_token_expired: problem(401, 'The token has expired.', 'Send one that has not.'),
  vendor_token_not_yet_valid: problem(401, 'The token is not valid yet.', 'Check the clocks.'),
  vendor_token_claims_malformed: problem(
    401,
    'A claim of the token is missing or of another type.',
    'Send the token that the provider calls this endpoint with.',
  ),
  entra_tenant_mismatch: problem(
    401,
    'The token is of another tenant.',
    'Check ENTRA_TENANT_ID, and send tokens of that tenant alone.',
  ),
  entra_caller_mismatch: problem(
    401,
    'The token was issued to another application than the one by which Entra calls extensions.',
    'Have a custom authentication extension call, and nothing else.',
  ),
  cloudflare_evaluation_lifetime_too_long: problem(
    400,
    'The token lives longer than one of Cloudflare does.',
    'Send the token of an external evaluation.',
  ),
  cloudflare_nonce_replayed: problem(
    409,
    'The nonce was answered before.',
    'Have Cloudflare ask again with a nonce of its own.',
  ),
  cloudflare_assertion_of_person: problem(
    403,
    'Access let a person through, and not a service token.',
    'Give the application of this endpoint a policy for the service token alone.',
  ),
  okta_organisation_mismatch: problem(
    403,
    'The hook is of another Okta organisation.',
    'Check OKTA_ORGANISATION, and have a hook of that organisation call.',
  ),
  vendor_request_malformed: problem(
    400,
    'The body is not what the provider documents.',
    'Look at the member that the detail names; the guide in docs/guides says what is read.',
  ),
}

export function isVendorCode(code: string): code is VendorProblemCode {
  return Object.hasOwn(VENDOR_PROBLEMS, code)
}
