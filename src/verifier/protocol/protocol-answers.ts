import type { ProtocolFailure } from './protocol-failure.ts'
import { invalid, type WireAnswer } from './wire-answers.ts'

const context = { form: 'invalid', coarse: 'context_refused' } as const

const SIZE_OF_TPM2B =
  'Members of the protocol hold TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC without the size of a TPM2B.'

/** What an agent is told of the refusals that every kind of evidence shares: all of them. */
export const PROTOCOL_ANSWERS: Readonly<Record<ProtocolFailure['reason'], WireAnswer>> = {
  api_version_missing: invalid(
    'The query parameter api-version is missing.',
    'Add it to the URL.',
    '2020-10-01, 2022-08-01 or 2025-06-01',
  ),
  api_version_unsupported: invalid(
    'The query parameter api-version has a value that is not supported.',
    'Use a version that the TPM protocol has.',
    '2020-10-01, 2022-08-01 or 2025-06-01',
  ),
  message_too_large: invalid(
    'The message is too large.',
    'Send the boot logs of this boot alone, each once.',
  ),
  message_encoding_invalid: invalid(
    'A part of the message is not UTF-8 text in the encoding that it should have.',
    'Encode the JSON text as UTF-8 and those bytes as base64url.',
  ),
  message_member_missing: invalid('A member of the message is missing.', 'Add the member.'),
  message_member_invalid: invalid(
    'A member of the message has another type, form or value than it may have.',
    'Write the member as expected.',
  ),
  message_member_too_long: invalid(
    'A member of the message is longer than it may be.',
    'Check that nothing is encoded twice, and shorten the member.',
  ),
  message_member_misplaced: invalid(
    'A member of the message belongs elsewhere, or to another version or type of request.',
    'Move the member to where it is looked at, or leave it out.',
    'no such member here',
  ),
  json_malformed: invalid(
    'A part of the message is not JSON.',
    'Mend the text where the offset points to.',
    'one JSON value (RFC 8259)',
  ),
  json_duplicate_member: invalid(
    'A JSON object of the message has two members of one name.',
    'Write each member once.',
  ),
  json_too_deep: invalid(
    'The JSON of the message is nested too deep.',
    'Send the members of the protocol and no others.',
    'at most 16 levels',
  ),
  json_too_many_values: invalid(
    'The JSON of the message has too many values.',
    'Send the members of the protocol and no others.',
    'at most 4096 values',
  ),
  request_jws_malformed: invalid(
    'The request is not a JWS in compact form.',
    'Join header, payload and signature, each in base64url without padding, by dots.',
    'three parts in base64url without padding, joined by dots (RFC 7515 §7.1)',
  ),
  request_algorithm_unsupported: invalid(
    'The request is signed with another algorithm than PS256.',
    'Sign it with PS256, and name that in the header.',
    'PS256',
  ),
  request_type_unknown: invalid(
    'The typ of the header is no type of request.',
    'Name the version of the protocol there.',
    'attReq or attReqV2',
  ),
  request_header_critical: invalid(
    'The header of the request demands an extension.',
    'Leave crit out: no extension is understood.',
    'no crit',
  ),
  request_signature_invalid: invalid(
    'The signature of the request does not fit its request key.',
    'Sign the header and the payload exactly as they are sent, with the private key of attest_key ' +
      '(attReq) or request_key (attReqV2), PS256 with a salt of 32 bytes. Many TPMs use a longer ' +
      'salt in TPM2_Sign.',
    'RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 §3.5)',
  ),
  context_malformed: {
    ...context,
    cause: 'The service context is none by its form.',
    change: 'Send back the service_context of the answer to the initial message as it came.',
  },
  context_foreign: {
    ...context,
    cause: 'The service context is sealed under a key that is not one of this service.',
    change: 'Send a request to the service that gave the challenge, with its service_context.',
  },
  context_forged: {
    ...context,
    cause: 'The service context was changed after this service had sealed it.',
    change: 'Send back the service_context of the answer to the initial message as it came.',
  },
  context_expired: invalid(
    'The service context has expired.',
    'Ask for a new challenge with an initial message, and answer it within minutes.',
  ),
  context_challenge_mismatch: invalid(
    'The challenge of the request is not the one in its service context.',
    'Send challenge and service_context of one answer together, and each as it came.',
    'the challenge that came with this service_context',
  ),
  context_spent: invalid(
    'The service context has been used.',
    'Ask for a new challenge with an initial message: each serves one request.',
  ),
  context_rate_limited: {
    form: 'limited',
    cause: 'The device attests too often.',
    change: 'Come back after the seconds in Retry-After.',
  },
  device_key_mishashed: invalid(
    'The nonce in rp_data was made for a device key that is the hash of something else.',
    'Ask POST /v1/challenge with the hash of the right bytes, and begin again.',
  ),
  jwk_private: invalid(
    'A JWK of the request holds a private or symmetric key.',
    'Replace that key, which is no secret any more, and send public members alone.',
    'a JWK of public members alone',
  ),
  jwk_not_rsa: invalid(
    'A key of the request that has to be an RSA key is of another type.',
    'Use an RSA key of 2048 to 4096 bits as request key; an attestation key may be RSA or EC.',
    'RSA',
  ),
  tpm_key_malformed: invalid(
    'A key of the request is no public key by its form.',
    'Write n, e, x and y as base64url of big-endian bytes: n and e without leading zeros, x and y ' +
      'with all of them.',
  ),
  tpm_key_unsupported: invalid(
    'A key of the request is of a kind or size that is not supported.',
    'Use RSA of 2048 to 4096 bits, or for an attestation key P-256 or P-384.',
    'RSA of 2048 to 4096 bits, P-256 or P-384',
  ),
  tpm_key_weak: invalid(
    'A key of the request is too weak.',
    'Use an RSA modulus of 2048 bits or more and an exponent of 65537 or more.',
    'RSA of 2048 to 4096 bits with an exponent from 65537',
  ),
  request_key_unbound: invalid(
    'Nothing binds the request key to the TPM.',
    'Put tpm_quote into info and the hash of key and challenge into the quote, or send what ' +
      'TPM2_Certify says of the key as tpm_certify.',
    'info with tpm_quote or tpm_certify',
  ),
  legacy_request_key_unbound: invalid(
    'A basic request of version 1 does not bind its key.',
    'Send attReqV2, or attReq of the type vbs.',
    'attReqV2, or attReq of the type vbs',
  ),
  request_key_binding_ambiguous: invalid(
    'The request key claims to be bound in two ways.',
    'Send tpm_quote or tpm_certify, not both.',
    'info with one of tpm_quote and tpm_certify',
  ),
  truncated: invalid(
    'A binary structure ends before it is complete.',
    'Send all of it: bytes are missing in the field that begins at the offset.',
  ),
  trailing_bytes: invalid(
    'Bytes follow the end of a binary structure.',
    'Cut them off. A buffer is often larger than what was written into it.',
    'nothing after the offset',
  ),
  length_over_limit: invalid(
    'A length or count in a binary structure is greater than it may be.',
    'Check the byte order and what stands before the offset, as a size field too many or too few ' +
      'shifts all that follows.',
  ),
  unexpected_value: {
    ...invalid(
      'A field of a binary structure has a value that it may not have.',
      'Check the field that where names, its byte order, and what stands before it.',
    ),
    hint: ({ structure = '' }) => (structure.startsWith('TPM') ? SIZE_OF_TPM2B : undefined),
  },
}
