import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { AgentProblemCode } from './problem-code.ts'
import { TOKEN_PROBLEMS } from './token-problems.ts'

/** What is answered to agents outside of `/attest/Tpm`. A new reason does not compile without a line. */
export const AGENT_PROBLEMS: Readonly<Record<AgentProblemCode, ProblemAnswer>> = {
  ...TOKEN_PROBLEMS,
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
