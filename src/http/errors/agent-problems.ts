import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { AgentProblemCode } from './problem-code.ts'

/** What is answered to agents outside of `/attest/Tpm`. A new reason does not compile without a line. */
export const AGENT_PROBLEMS: Readonly<Record<AgentProblemCode, ProblemAnswer>> = {
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
  nonce_malformed: problem(
    401,
    'The nonce was not issued by this service.',
    'Send the nonce of /v1/challenge as rp_data as it is, not encoded once more.',
  ),
  nonce_foreign: problem(
    401,
    'The nonce was not issued by this service to this device.',
    'Ask /v1/challenge with the SHA-256 of this attestation key as DER SubjectPublicKeyInfo, and send the nonce as rp_data as it is.',
  ),
  nonce_expired: problem(
    401,
    'The nonce has expired. Ask for a new challenge.',
    'Begin again, and end within minutes.',
  ),
  nonce_spent: problem(
    409,
    'The nonce has been used. Ask for a new challenge.',
    'Begin again. To have a lost answer once more repeat the very same request.',
  ),
  attestation_overtaken: problem(
    409,
    'The device proved another key at a later time. Attest again.',
    'Let one agent attest for a device, and begin again.',
  ),
  device_not_listed: problem(
    403,
    'The device is not listed. Ask your administrator.',
    'The administrator lists the device, or admits it.',
  ),
  device_keys_exhausted: problem(
    409,
    'The TPM of this device has too many attestation keys.',
    'Keep one attestation key; the administrator can have the device forgotten.',
  ),
  device_not_vouched: problem(
    403,
    'Nobody vouches for the TPM of this device. Ask your administrator.',
    'Enrol the key at /v1/enrolments, or have its root trusted.',
  ),
  enrolment_rate_limited: problem(
    429,
    'Too many new devices come at once. Come later.',
    'Come back after the seconds in Retry-After.',
  ),
  enrolment_full: problem(
    503,
    'No more devices are recorded for whose TPM nobody vouches. Ask your administrator.',
    'The administrator sets trust anchors, or raises UNVOUCHED_DEVICES_MOST.',
  ),
  submissions_busy: problem(
    503,
    'Too many attestations are under way. Come later.',
    'Send the same request again after the seconds in Retry-After.',
  ),
  device_rate_limited: problem(
    429,
    'The device attests too often.',
    'Attest when next_attestation_at says so, and after the seconds in Retry-After.',
  ),
  ak_public_malformed: problem(
    400,
    'The public area of the attestation key cannot be read.',
    'Send TPMT_PUBLIC or TPM2B_PUBLIC of the attestation key; the detail says what does not fit.',
  ),
  ak_refused: problem(
    422,
    'The key is not one that a TPM attests with.',
    'Create a restricted signing key in the TPM; the detail says what is missing or must not be.',
  ),
  ek_certificate_malformed: problem(
    400,
    'A certificate of the enrolment cannot be read.',
    'Send DER in base64url: not PEM, and without the padding that an NV index has behind the certificate.',
  ),
  ek_certificate_refused: problem(
    403,
    'Nobody trusted vouches for the endorsement key.',
    'Send the certificate of the endorsement key with its authorities as chain, or ask the administrator to trust the maker (EK_TRUST_ANCHORS).',
  ),
  ek_public_mismatch: problem(
    422,
    'The endorsement key is not the one of its certificate.',
    'Create the endorsement key by a default template, or leave ek_public out.',
  ),
  ek_type_not_accepted: problem(
    403,
    'Endorsement keys of this type are not accepted.',
    'Use another endorsement key, or ask the administrator (EK_KEY_TYPES).',
  ),
  ticket_foreign: problem(
    400,
    'The ticket was not issued by this service.',
    'Send back the ticket of the answer as it came.',
  ),
  ticket_expired: problem(
    409,
    'The ticket has expired. Begin again.',
    'Begin again, and activate within five minutes.',
  ),
  ticket_spent: problem(
    409,
    'The ticket has been used. Begin again.',
    'Begin again: a ticket serves once.',
  ),
  secret_wrong: problem(
    403,
    'This is not the secret of the credential.',
    'Send what TPM2_ActivateCredential gave, in base64url.',
  ),
  issuer_unavailable: problem(
    503,
    'The certificate of an issuer cannot be had at the moment. Begin again later.',
    'Begin again after the seconds in Retry-After, or send the authorities as chain.',
  ),
  enrolment_busy: problem(
    503,
    'Too many enrolments are under way. Try again.',
    'Send the same request again after the seconds in Retry-After.',
  ),
  claims_wrong_type: problem(
    400,
    'A claim of the attestation token has the wrong type.',
    'The policy of the provider has to issue the claim with its type.',
  ),
  claims_over_limit: problem(
    400,
    'A claim of the attestation token is too large.',
    'The policy of the provider has to issue less.',
  ),
  claims_contradictory: problem(
    400,
    'Claims of the attestation token contradict each other.',
    'The policy of the provider has to issue one of them.',
  ),
}
