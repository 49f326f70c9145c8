import type { VerifierFailure } from '../verifier.ts'

/** An error in the form of Azure Attestation's REST interface. */
export type WireError = {
  readonly status: 400 | 429 | 503
  readonly body: { readonly error: { readonly code: WireCode; readonly message: string } }
}

/** Codes of Azure Attestation that apply to its TPM protocol. */
export type WireCode =
  | 'InvalidParameter'
  | 'PolicyEvaluationError'
  | 'TooManyRequests'
  | 'ServiceUnavailable'

/** All that an agent is told. The whole reason is in the verifier's trace. */
const ANSWERS = {
  apiVersion: invalid('The api-version query parameter is missing or not supported.'),
  tooLarge: invalid('The request is too large.'),
  malformed: invalid('The request is malformed.'),
  challenge: invalid('The service context is not valid or has expired. Ask for a new challenge.'),
  spent: invalid('The service context has been used. Ask for a new challenge.'),
  limited: {
    status: 429,
    body: { error: { code: 'TooManyRequests', message: 'The device attests too often.' } },
  },
  signature: invalid('The signature of the request is not valid.'),
  key: invalid('A key in the request is not acceptable.'),
  keyBinding: invalid('A key in the request is not bound to the TPM.'),
  legacy: invalid('A basic request of version 1 does not bind its key. Send attReqV2, or vbs.'),
  quote: invalid('The TPM quote is not valid.'),
  log: invalid('The boot log does not agree with the TPM quote.'),
  enclave: invalid('The enclave report is not valid.'),
  certificate: policy('The attestation key is not certified by a trusted authority.'),
  unavailable: {
    status: 503,
    body: {
      error: {
        code: 'ServiceUnavailable',
        message:
          'The authority of the attestation key cannot be had at the moment. Try again later.',
      },
    },
  },
} as const

/** Every reason has an answer; a new one does not compile until it has. */
const ANSWER_OF: Readonly<Record<VerifierFailure['reason'], keyof typeof ANSWERS>> = {
  api_version_missing: 'apiVersion',
  api_version_unsupported: 'apiVersion',
  message_too_large: 'tooLarge',
  message_encoding_invalid: 'malformed',
  message_member_missing: 'malformed',
  message_member_invalid: 'malformed',
  message_member_too_long: 'tooLarge',
  json_malformed: 'malformed',
  json_duplicate_member: 'malformed',
  json_too_deep: 'malformed',
  json_too_many_values: 'malformed',
  truncated: 'malformed',
  trailing_bytes: 'malformed',
  length_over_limit: 'tooLarge',
  unexpected_value: 'malformed',
  request_jws_malformed: 'malformed',
  request_algorithm_unsupported: 'malformed',
  request_type_unknown: 'malformed',
  request_header_critical: 'malformed',
  request_signature_invalid: 'signature',
  context_malformed: 'challenge',
  context_foreign: 'challenge',
  context_forged: 'challenge',
  context_expired: 'challenge',
  context_challenge_mismatch: 'challenge',
  context_spent: 'spent',
  context_rate_limited: 'limited',
  jwk_private: 'key',
  jwk_not_rsa: 'key',
  tpm_key_malformed: 'key',
  tpm_key_unsupported: 'key',
  tpm_key_weak: 'key',
  request_key_unbound: 'keyBinding',
  legacy_request_key_unbound: 'legacy',
  request_key_binding_ambiguous: 'keyBinding',
  certified_key_mismatch: 'keyBinding',
  certify_type_wrong: 'keyBinding',
  certify_signature_algorithm_refused: 'keyBinding',
  certify_signature_invalid: 'keyBinding',
  certify_nonce_mismatch: 'keyBinding',
  certify_name_mismatch: 'keyBinding',
  certify_attributes_missing: 'keyBinding',
  aik_missing: 'malformed',
  aik_certificate_key_mismatch: 'key',
  enrolment_anchor_withdrawn: 'certificate',
  aik_not_certified: 'certificate',
  certificate_too_large: 'certificate',
  certificate_malformed: 'certificate',
  certificate_duplicate_extension: 'certificate',
  certificate_algorithm_mismatch: 'certificate',
  certificate_bundle_malformed: 'certificate',
  certificate_bundle_too_large: 'certificate',
  certificate_algorithm_refused: 'certificate',
  certificate_expired: 'certificate',
  certificate_not_yet_valid: 'certificate',
  certificate_not_ca: 'certificate',
  certificate_path_length: 'certificate',
  certificate_key_usage: 'certificate',
  certificate_extended_key_usage: 'certificate',
  certificate_critical_extension: 'certificate',
  certificate_name_constraints: 'certificate',
  certificate_policies: 'certificate',
  certificate_is_ca: 'certificate',
  certificate_issuer_unknown: 'certificate',
  certificate_signature_invalid: 'certificate',
  certificate_anchor_unknown: 'certificate',
  certificate_issuer_unavailable: 'unavailable',
  certificate_path_too_long: 'certificate',
  certificate_path_too_complex: 'certificate',
  quote_type_wrong: 'quote',
  quote_signature_algorithm_refused: 'quote',
  quote_signature_invalid: 'quote',
  quote_nonce_mismatch: 'quote',
  quote_selects_nothing: 'quote',
  quote_pcr_bank_repeated: 'quote',
  quote_pcr_missing: 'quote',
  quote_pcr_unexpected: 'quote',
  quote_pcr_length_wrong: 'quote',
  quote_digest_mismatch: 'quote',
  boot_pcr_bank_weak: 'quote',
  boot_pcr_not_quoted: 'quote',
  log_pcr_mismatch: 'log',
  log_bank_missing: 'log',
  log_event_digest_mismatch: 'log',
  log_event_unexpected: 'log',
  log_separator_missing: 'log',
  log_separator_duplicate: 'log',
  log_variable_after_separator: 'log',
  log_variable_duplicate: 'log',
  log_secure_boot_invalid: 'log',
  log_claim_conflict: 'log',
  drtm_log_foreign_pcr: 'log',
  drtm_log_pcr_mismatch: 'log',
  resume_aik_mismatch: 'log',
  resume_boot_unlinked: 'log',
  enclave_signer_unknown: 'enclave',
  enclave_data_mismatch: 'enclave',
  report_key_refused: 'enclave',
  report_signature_invalid: 'enclave',
}

/** What the agent is told about a refusal: coarse, so that probing teaches nothing. */
export function toWireError(failure: VerifierFailure): WireError {
  return ANSWERS[ANSWER_OF[failure.reason]]
}

function invalid(message: string): WireError {
  return { status: 400, body: { error: { code: 'InvalidParameter', message } } }
}

function policy(message: string): WireError {
  return { status: 400, body: { error: { code: 'PolicyEvaluationError', message } } }
}
