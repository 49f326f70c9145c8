import { invalid, untrusted, type WireAnswer } from '../../protocol/wire-answers.ts'
import { CERTIFICATE_ANSWERS } from './certificate-answers.ts'
import { REQUIRED_PCRS } from './required-pcrs.ts'

const REPLAY = 'Send the log as Tbsi_Get_TCG_Log_Ex gives it, of the boot that the quote is about.'

/** What an agent is told about the refusals of TPM evidence; `tpm.ts` asks for every reason. */
export const TPM_ANSWERS = {
  ...CERTIFICATE_ANSWERS,
  certified_key_mismatch: invalid(
    'The key that TPM2_Certify speaks of is not the key of the request.',
    'Send the public area of the key whose JWK stands beside it.',
    'the TPMT_PUBLIC of the key in jwk',
  ),
  certify_type_wrong: invalid(
    'The certification of a key is an attestation of another type.',
    'Send what TPM2_Certify returns.',
    'TPM_ST_ATTEST_CERTIFY (0x8017)',
  ),
  certify_signature_algorithm_refused: invalid(
    'The certification of a key is signed over SHA-1.',
    'Use an attestation key whose scheme has SHA-256 or stronger.',
    'SHA-256, SHA-384 or SHA-512',
  ),
  certify_signature_invalid: invalid(
    'The attestation key did not sign the certification of a key.',
    'Sign TPM2_Certify with the key of aik_pub and aik_cert, and send certification and signature ' +
      'of one call.',
    'a signature by the attestation key of this request',
  ),
  certify_nonce_mismatch: invalid(
    'The certification of a key is not over the challenge.',
    'Give TPM2_Certify the challenge, decoded to its 16 bytes, as qualifying data.',
    'qualifying data: the decoded challenge',
  ),
  certify_name_mismatch: invalid(
    'The certification of a key is about another public area.',
    'Send the public area of the key that was certified, to the last bit.',
    'the Name of the TPMT_PUBLIC in public',
  ),
  certify_attributes_missing: invalid(
    'The certified key could have been made outside of the TPM, or leave it.',
    'Create the key in the TPM with all three attributes.',
    'fixedTPM, fixedParent and sensitiveDataOrigin',
  ),
  aik_missing: invalid(
    'The request names no attestation key.',
    'Send aik_pub, aik_cert, or both.',
    'aik_pub or aik_cert',
  ),
  aik_certificate_key_mismatch: invalid(
    'aik_cert certifies another key than aik_pub.',
    'Send the certificate of the key that makes the quote, or none.',
    'a certificate of the key in aik_pub',
  ),
  enrolment_anchor_withdrawn: untrusted(
    'The authority that vouched for the TPM when the key was enrolled counts no more.',
    'Ask the administrator of the service, and enrol the key again at /v1/enrolments.',
    'an anchor that EK_TRUST_ANCHORS lists',
  ),
  aik_not_certified: untrusted(
    'The attestation key has no certificate, and the service asks for one.',
    'Send its certificate as aik_cert, or enrol the key at /v1/enrolments.',
    'a certificate in aik_cert',
  ),
  quote_type_wrong: invalid(
    'The quote is an attestation of another type.',
    'Send what TPM2_Quote returns.',
    'TPM_ST_ATTEST_QUOTE (0x8018)',
  ),
  quote_signature_algorithm_refused: invalid(
    'The quote is signed over SHA-1.',
    'Use an attestation key whose scheme has SHA-256 or stronger.',
    'SHA-256, SHA-384 or SHA-512',
  ),
  quote_signature_invalid: invalid(
    'The attestation key did not sign the quote.',
    'Send quote and signature of one call of TPM2_Quote, and the key that it was called with as ' +
      'aik_pub or aik_cert.',
    'a signature by the attestation key of this request',
  ),
  quote_nonce_mismatch: invalid(
    'The quote is over another nonce.',
    'Give TPM2_Quote the qualifying data that expected names, the challenge decoded from base64url ' +
      'and the text of the JWK as it is sent.',
    'qualifying data: the challenge, or with tpm_quote HASH(UTF8(jwk) ‖ 0x00 ‖ challenge)',
  ),
  quote_selects_nothing: invalid(
    'The quote covers no PCR.',
    `Select at least the PCRs ${REQUIRED_PCRS.join(', ')}.`,
    `the PCRs ${REQUIRED_PCRS.join(', ')} at least`,
  ),
  quote_pcr_bank_repeated: invalid(
    'Two entries of pcrs are of one bank.',
    'Send each bank once, with all of its values.',
    'each bank once',
  ),
  quote_pcr_missing: invalid(
    'The value of a PCR that the quote covers is missing.',
    'Send the values of exactly the PCRs that the quote covers.',
    'a value for each PCR that is quoted',
  ),
  quote_pcr_unexpected: invalid(
    'There is the value of a PCR that the quote does not cover.',
    'Send the values of exactly the PCRs that the quote covers.',
    'no value of a PCR that is not quoted',
  ),
  quote_pcr_length_wrong: invalid(
    'The value of a PCR has another length than its bank has.',
    'Send the value as TPM2_PCR_Read gives it.',
    'as many bytes as the hash of the bank has',
  ),
  quote_digest_mismatch: invalid(
    'The values of the PCRs are not those that were quoted.',
    'Read the PCRs right before or after the quote, and quote anew if one was extended between.',
    'the values at the time of the quote',
  ),
  boot_pcr_bank_weak: invalid(
    'No bank of SHA-256 or stronger was both quoted and logged.',
    'Quote the bank that the boot log has digests of.',
    'SHA-256, SHA-384 or SHA-512 in the quote and in the log',
  ),
  boot_pcr_not_quoted: invalid(
    'The quote leaves out a PCR that has to be quoted.',
    `Select at least the PCRs ${REQUIRED_PCRS.join(', ')}.`,
    `the PCRs ${REQUIRED_PCRS.join(', ')} at least`,
  ),
  boot_pcr_order_wrong: invalid(
    'The values of the PCRs stand in another order than the quote has.',
    'Order the banks as the selection of the quote does, and in each the values by their index.',
    'the order of the quote, as where.pcrs has it',
  ),
  log_pcr_mismatch: invalid(
    'The boot log does not lead to the PCR values that were quoted.',
    REPLAY,
    'a log that replays to every quoted PCR from 0 to 15',
  ),
  log_bank_missing: invalid(
    'Events of the boot log have no digest in the bank that was quoted.',
    'Quote a bank in which every event of the log has a digest.',
    'a digest of the quoted bank in every event of these PCRs',
  ),
  log_event_digest_mismatch: invalid(
    'The digest of an event is not that of its data.',
    'Send the log unchanged: no event may be edited, shortened or decoded.',
    'data whose hash is the digest',
  ),
  log_event_unexpected: invalid(
    'An event is of a type that has no business in its place.',
    'Send the log unchanged. If it is, show the event (npm run -s countersign -- inspect log) to the ' +
      'administrator of the service: something measured into a PCR of the firmware or of Windows.',
    'in PCR 7 variables and separators, in PCR 12 to 14 tagged events and separators',
  ),
  log_separator_missing: invalid(
    'A PCR of the boot log has no separator that closes it.',
    'Send the log to its end, as it stands once Windows runs.',
    'EV_SEPARATOR in PCR 7; WBCL in PCR 12, 13 and 14',
  ),
  log_separator_duplicate: invalid(
    'A PCR of the boot log is closed twice.',
    'Send the log of one boot alone.',
    'one separator for each PCR',
  ),
  log_variable_after_separator: invalid(
    'A Secure Boot variable was measured after the firmware had closed PCR 7.',
    'Send the log unchanged. If it is, something that started later extends PCR 7.',
    'variables before the separator',
  ),
  log_variable_duplicate: invalid(
    'A Secure Boot variable was measured twice.',
    'Send the log unchanged. If it is, show the event to the maker of the firmware.',
    'each variable once',
  ),
  log_secure_boot_invalid: invalid(
    'The variable SecureBoot has another length or value than it may have.',
    'Update the firmware, and send the log unchanged.',
    'one byte, 0 or 1',
  ),
  log_claim_conflict: invalid(
    'Two measurements of one boot contradict each other.',
    'Send the log of one boot alone.',
    'one value for what is measured once a boot',
  ),
  drtm_log_foreign_pcr: invalid(
    'The log of the dynamic launch has an event of a PCR that does not belong to it.',
    'Send the log of the firmware first, and that of the dynamic launch second.',
    'events of PCR 17 to 22 with digests of the quoted bank',
  ),
  drtm_log_pcr_mismatch: invalid(
    'The log of the dynamic launch does not lead to the PCR values that were quoted.',
    REPLAY,
    'a log that replays to every quoted PCR from 17 to 22',
  ),
  resume_aik_mismatch: invalid(
    'The boot before the hibernation was quoted by another attestation key.',
    'Quote at boot and after the resume with one key.',
    'the attestation key of current_attestation',
  ),
  resume_boot_unlinked: invalid(
    'The boot before the hibernation is not the one that was resumed.',
    'Send the quote and the log of the last cold boot.',
    'the same boot counter, or the same session of the TPM, and an earlier clock',
  ),
} as const satisfies Readonly<Record<string, WireAnswer>>
