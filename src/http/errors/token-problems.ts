import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { AgentProblemCode } from './problem-code.ts'

/** What is answered about an attestation token that is handed in, and about the proof of its key. */
export const TOKEN_PROBLEMS = {
  token_too_large: problem(
    400,
    'The attestation token is too large.',
    'Hand in the report of the answer of /attest/Tpm alone.',
  ),
  token_malformed: problem(
    400,
    'The attestation token is not a JWT.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_draft: problem(
    401,
    'The attestation token is unsigned: a draft policy made it.',
    'Ask the administrator: the policy of the provider has not been published.',
  ),
  token_algorithm_refused: problem(
    401,
    'The attestation token must be signed with RS256.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_type_refused: problem(
    401,
    'The attestation token has another type than JWT.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_critical_header: problem(
    401,
    'The attestation token demands an unknown extension.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_issuer_unknown: problem(
    401,
    'The attestation token is of no configured issuer.',
    'Attest against this service, or ask the administrator to configure the verifier (VERIFIERS).',
  ),
  token_key_unknown: problem(
    401,
    'The attestation token is signed by no key of its issuer.',
    'Attest again. If it stays, the administrator has to look at the keys of the verifier.',
  ),
  token_key_not_yet_valid: problem(
    401,
    "The issuer's key is not valid yet.",
    'Check the clocks, and attest again.',
  ),
  token_key_expired: problem(401, "The issuer's key has expired.", 'Attest again.'),
  token_signature_invalid: problem(
    401,
    'The signature of the attestation token is not valid.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_policy_answer: problem(
    401,
    'This token answers a policy request; it attests nothing.',
    'Hand in the report of the answer of /attest/Tpm.',
  ),
  token_version_refused: problem(
    401,
    'The attestation token has an unknown version.',
    'Attest against a verifier that this version knows.',
  ),
  token_claims_malformed: problem(
    400,
    'A standard claim of the attestation token is malformed.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  token_policy_missing: problem(
    401,
    'The attestation token names no policy.',
    'Hand in the report of the answer of /attest/Tpm as it is.',
  ),
  policy_not_pinned: problem(
    401,
    'The attestation token was issued under a policy that is not pinned.',
    'Nothing to change on the device: the administrator looks at the policy of the provider, and pins it.',
  ),
  token_expired: problem(
    401,
    'The attestation token has expired. Attest again.',
    'Begin again with a challenge.',
  ),
  token_not_yet_valid: problem(
    401,
    'The attestation token is not valid yet. Check the clocks.',
    'Set the clock of verifier or service right, and begin again with a challenge.',
  ),
  token_issued_in_future: problem(
    401,
    'The attestation token is from the future. Check the clocks.',
    'Set the clock of verifier or service right, and begin again with a challenge.',
  ),
  token_too_old: problem(
    401,
    'The attestation token is too old. Attest again.',
    'Begin again with a challenge, and hand the token in at once.',
  ),
  token_nonce_malformed: problem(
    400,
    'The nonce of the attestation token is malformed.',
    'Send the nonce of /v1/challenge as rp_data as it is.',
  ),
  token_nonce_mismatch: problem(
    400,
    'nonce and rp_data of the attestation token differ.',
    'Attest again: both come from rp_data.',
  ),
  token_confirmation_malformed: problem(
    400,
    'The cnf claim of the attestation token is malformed.',
    'Use an RSA key of 2048 bits or more as request key.',
  ),
  token_kind_refused: problem(
    401,
    'The attestation token is about something else than a device.',
    'Hand in a token of the TPM protocol.',
  ),
  token_without_confirmation: problem(
    401,
    'The attestation token has no cnf key to prove.',
    'Send attReqV2, or attReq of the type vbs.',
  ),
  token_confirmation_unbound: problem(
    401,
    'The evidence behind the attestation token does not bind its cnf key. Send attReqV2, or vbs.',
    'Bind the request key by tpm_quote, tpm_certify or an enclave report.',
  ),
  token_without_nonce: problem(
    401,
    'The request that the attestation token came of had no rp_data, so that the token has no nonce.',
    'Put the nonce of /v1/challenge there as it is, and attest again.',
  ),
  token_without_device_key: problem(
    401,
    'The attestation token names no attestation key.',
    'Attest with an attestation key that the verifier knows; the policy of an Azure provider has to issue aikPubHash.',
  ),
  key_set_unavailable: problem(
    503,
    'The keys of the verifier cannot be had at the moment. Hand the token in again later.',
    'Send the same request again after the seconds in Retry-After.',
  ),
  proof_missing: problem(
    401,
    'The DPoP header is missing.',
    'Send a DPoP proof (RFC 9449) by the request key as the header DPoP.',
  ),
  proof_too_large: problem(
    400,
    'The proof of possession is too large.',
    'Leave out what the proof does not need.',
  ),
  proof_malformed: problem(
    400,
    'The DPoP header is not one JWT.',
    'Send one header DPoP that holds one compact JWS.',
  ),
  proof_type_refused: problem(
    401,
    'The proof must have the type dpop+jwt.',
    'Write typ dpop+jwt into the header.',
  ),
  proof_critical_header: problem(
    401,
    'The proof demands an unknown extension.',
    'Leave crit out of the header.',
  ),
  proof_key_private: problem(
    400,
    'The proof carries a private key. Replace that key.',
    'Make a new request key, and put public members alone into jwk.',
  ),
  proof_key_malformed: problem(
    400,
    'The proof carries no usable public key.',
    'Put the public JWK of the request key into the header.',
  ),
  proof_algorithm_refused: problem(
    401,
    'The proof must be signed with PS256, RS256 or ES256.',
    'Sign with an algorithm that fits the key.',
  ),
  proof_key_mismatch: problem(
    401,
    'The proof is by another key than the token confirms.',
    'Sign the proof with the request key of the attestation.',
  ),
  proof_signature_invalid: problem(
    401,
    'The signature of the proof is not valid.',
    'Sign header and payload exactly as they are sent; PS256 has a salt of 32 bytes.',
  ),
  proof_claims_malformed: problem(
    400,
    'A claim of the proof is missing or malformed.',
    'Write jti, htm, htu and iat as RFC 9449 §4.2 has them.',
  ),
  proof_method_mismatch: problem(
    401,
    'The proof is for another method.',
    'Write the method of this request into htm.',
  ),
  proof_url_mismatch: problem(
    401,
    'The proof is for another URL than the one of this service (PUBLIC_URL).',
    'Write the URL that expected names into htu.',
  ),
  proof_issued_in_future: problem(
    401,
    'The proof is from the future. Check the clocks.',
    "Date proofs by the Date of the service's answers.",
  ),
  proof_too_old: problem(
    401,
    'The proof is too old.',
    "Make a proof for each request, dated by the Date of the service's answers.",
  ),
  proof_nonce_mismatch: problem(
    401,
    'The proof has another nonce than the token.',
    'Write the nonce that was sent as rp_data into the proof.',
  ),
} as const satisfies Partial<Record<AgentProblemCode, ProblemAnswer>>
