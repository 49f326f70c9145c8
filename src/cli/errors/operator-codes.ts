import type { BREAK_GLASS_KEYS_REASONS } from '../../access/break-glass/keys.ts'
import type { DEVICE_TOKEN_REASONS } from '../../access/device-token.ts'
import type { EAR_REASONS } from '../../access/ear/read-ear.ts'
import type { EAR_TOKEN_REASONS } from '../../access/ear/verify-ear.ts'
import type { RECOMPUTE_REASONS } from '../../access/receipt/recompute.ts'
import type { RECEIPT_REASONS } from '../../access/receipt/verify.ts'
import type { REFERENCE_VALUES_REASONS } from '../../appraisal/reference-values.ts'
import type { CHECKPOINT_REASONS } from '../../audit/checkpoint.ts'
import type { EXPORT_REASONS } from '../../audit/export-lines.ts'
import type { NOTE_REASONS } from '../../audit/note.ts'
import type { ROW_REASONS } from '../../audit/row-check.ts'
import type { LOG_REASONS } from '../../audit/verify-log.ts'
import type { POLICY_ANSWER_REASONS } from '../../azure/provider-policy/policy-answer.ts'
import type { POLICY_TEXT_REASONS } from '../../azure/provider-policy/policy-text.ts'
import type { POLICY_SIGNER_REASONS } from '../../azure/provider-policy/policy-token.ts'
import type { CSV_REASONS } from '../../base/csv.ts'
import type { Explanation } from '../../base/explanation.ts'
import type { CONFIG_REASONS } from '../../config/config.ts'
import type { KEY_SET_REASONS } from '../../evidence/jws/key-set.ts'
import type { REPORT_KEY_REASONS } from '../../evidence/vbs/idks.ts'
import type { CLIENT_REASONS } from '../../keys/client-directory.ts'
import type { CLIENT_KEYS_REASONS } from '../../oauth/client-keys.ts'
import type { ISSUER_RULES_REASONS } from '../../oauth/issuer-rules.ts'
import type { JWKS_REASONS } from '../../oauth/key-set.ts'
import type { BACKUP_REASONS } from '../../operations/backup/unpack.ts'
import type { CLIENT_CHANGE_REASONS } from '../../operations/clients/disable-client.ts'
import type { CLIENT_ROTATION_REASONS } from '../../operations/clients/rotate-client.ts'
import type { CLIENT_REKEY_REASONS } from '../../operations/clients/set-client-keys.ts'
import type { HYPOTHESIS_REASONS } from '../../operations/decide/hypothesis.ts'
import type { BOOT_LOG_REASONS } from '../../operations/devices/read-boot-log.ts'
import type { IMPORT_REASONS } from '../../operations/devices/read-import.ts'
import type { RELABEL_REASONS } from '../../operations/devices/relabel-device.ts'
import type { ENTITY_IMPORT_REASONS } from '../../operations/entities/import-entities.ts'
import type { RETIRE_REASONS } from '../../operations/keys/retire-key.ts'
import type { ROTATION_REASONS } from '../../operations/keys/rotate-key.ts'
import type { POLICY_TESTS_REASONS } from '../../operations/release/policy-tests.ts'
import type { SECOND_REASONS } from '../../operations/release/second-administrator.ts'
import type { STREAM_STATUS_REASONS } from '../../operations/signals/set-stream-status.ts'
import type { STREAM_TEST_REASONS } from '../../operations/signals/test-stream.ts'
import type { ROLE_RULES_REASONS } from '../../people/roles.ts'
import type { POLICY_REASONS } from '../../policy/document/compile.ts'
import type { TAR_REASONS } from '../../store/backup/tar.ts'
import type { SIGN_IN_CLIENTS_REASONS } from '../../vendors/oidc/sign-in-clients.ts'
import type { INSPECTION_REASONS } from '../inspect/failure.ts'
import type { COLLECTION_REASONS } from '../receipt/collect-inputs.ts'

type OperatorCode = (
  | typeof CHECKPOINT_REASONS
  | typeof EXPORT_REASONS
  | typeof NOTE_REASONS
  | typeof ROW_REASONS
  | typeof LOG_REASONS
  | typeof STREAM_STATUS_REASONS
  | typeof STREAM_TEST_REASONS
  | typeof BREAK_GLASS_KEYS_REASONS
  | typeof DEVICE_TOKEN_REASONS
  | typeof RECOMPUTE_REASONS
  | typeof RECEIPT_REASONS
  | typeof EAR_REASONS
  | typeof EAR_TOKEN_REASONS
  | typeof REFERENCE_VALUES_REASONS
  | typeof POLICY_ANSWER_REASONS
  | typeof POLICY_TEXT_REASONS
  | typeof POLICY_SIGNER_REASONS
  | typeof CSV_REASONS
  | typeof CONFIG_REASONS
  | typeof KEY_SET_REASONS
  | typeof REPORT_KEY_REASONS
  | typeof CLIENT_REASONS
  | typeof BACKUP_REASONS
  | typeof BOOT_LOG_REASONS
  | typeof CLIENT_CHANGE_REASONS
  | typeof CLIENT_ROTATION_REASONS
  | typeof CLIENT_REKEY_REASONS
  | typeof CLIENT_KEYS_REASONS
  | typeof JWKS_REASONS
  | typeof ISSUER_RULES_REASONS
  | typeof SIGN_IN_CLIENTS_REASONS
  | typeof ROLE_RULES_REASONS
  | typeof HYPOTHESIS_REASONS
  | typeof IMPORT_REASONS
  | typeof ENTITY_IMPORT_REASONS
  | typeof RELABEL_REASONS
  | typeof RETIRE_REASONS
  | typeof ROTATION_REASONS
  | typeof POLICY_TESTS_REASONS
  | typeof SECOND_REASONS
  | typeof POLICY_REASONS
  | typeof TAR_REASONS
  | typeof INSPECTION_REASONS
  | typeof COLLECTION_REASONS
)[number]

const explain = (cause: string, change: string): Explanation => ({ cause, change })

/** What operators meet on the command line and in the log, and nobody meets over HTTP. */
export const OPERATOR_CODES: Readonly<Record<OperatorCode, Explanation>> = {
  config_invalid: explain('A setting is wrong.', 'Mend every setting that the message names.'),
  note_malformed: explain(
    'A checkpoint is no signed note.',
    'Take it from an export, or from GET /v1/audit/log/checkpoint.',
  ),
  note_key_malformed: explain(
    'A key of the audit log is none.',
    'Copy it from GET /v1/audit/log: NAME+ID+KEY.',
  ),
  checkpoint_malformed: explain(
    'A signed note is no checkpoint of a log.',
    'Take it from an export, or from GET /v1/audit/log/checkpoint.',
  ),
  audit_export_malformed: explain(
    'A line of the file is no part of an export, or stands where it cannot.',
    'Export anew: npm run -s countersign -- audit export.',
  ),
  audit_checkpoint_unsigned: explain(
    'No key of the log signed the checkpoint: it is not of this log, or was forged.',
    'Compare the keys with those that you kept; ask who made the file.',
  ),
  audit_log_forked: explain(
    'The log is not what a signed checkpoint says it was: its history was written anew.',
    'Keep both checkpoints, they prove it; compare with a backup.',
  ),
  audit_log_truncated: explain(
    'The log is shorter than a signed checkpoint of it: its end was cut off.',
    'Keep the checkpoint; compare with a backup, or export anew.',
  ),
  audit_witness_missing: explain(
    'A witness did not cosign the checkpoint.',
    'Ask the witness which checkpoint of this log it saw last.',
  ),
  audit_row_changed: explain(
    'An entry is not as it was when it was logged.',
    'Compare it with a backup or an export of before.',
  ),
  audit_row_removed: explain(
    'An entry that was logged is gone, before its retention had ended.',
    'Look for it in a backup or an export of before.',
  ),
  audit_row_inserted: explain(
    'There is an entry that nobody logged.',
    'Ask who can write to the database past the service.',
  ),
  audit_rows_reordered: explain(
    'Entries stand in another order than they were logged in.',
    'Compare with a backup or an export of before.',
  ),
  client_unknown: explain('No API client has this id.', 'Check the id, or create a client.'),
  client_disabled: explain('The API client is disabled.', 'Create another one.'),
  client_secret_wrong: explain(
    'The secret of the client is wrong.',
    'Use its secret, or rotate it.',
  ),
  client_secret_expired: explain(
    'The secret of the client has ended, as was said when it was made.',
    'Give the client another one: npm run -s countersign -- clients rotate.',
  ),
  client_not_found: explain('There is no such client.', 'Look it up with clients list.'),
  stream_to_set_not_found: explain('There is no such stream.', 'Look it up with streams list.'),
  stream_to_test_not_found: explain('There is no such stream.', 'Look it up with streams list.'),
  client_to_rotate_not_found: explain('There is no such client.', 'Look it up with clients list.'),
  client_to_rotate_disabled: explain('The client is disabled.', 'Create another one.'),
  client_rotation_under_way: explain(
    'The client has two secrets already.',
    'End that rotation first.',
  ),
  client_to_rotate_has_keys: explain(
    'The client has keys, and no secret.',
    'Change its keys: npm run -s countersign -- clients keys.',
  ),
  client_to_rekey_not_found: explain('There is no such client.', 'Look it up with clients list.'),
  client_to_rekey_disabled: explain('The client is disabled.', 'Create another one.'),
  client_to_rekey_has_secret: explain(
    'The client has a secret, and no keys.',
    'Create a client with keys (clients create --jwks), and disable this one.',
  ),
  client_key_unusable: explain(
    'A key of the set verifies nothing here.',
    'Give RSA keys of 2048 bits or more, or keys on P-256, for signatures.',
  ),
  client_jwks_url_refused: explain(
    'The URL is none that a key set is fetched from.',
    'Give an https URL without credentials and fragment.',
  ),
  jwks_malformed: explain('The key set is none.', 'Give a JWK set: {"keys":[…]}.'),
  jwks_too_many: explain('The key set has too many keys.', 'Leave some out.'),
  jwks_private_key: explain('A private key is listed.', 'Replace it; list public keys.'),
  jwks_key_repeated: explain('Two keys have one kid, or none.', 'Name each key once.'),
  jwks_empty: explain('The key set has no key that serves.', 'Give RSA keys, or keys on P-256.'),
  issuers_malformed: explain('OAUTH_ISSUERS is no list of issuers.', 'Mend what is named.'),
  sign_in_clients_malformed: explain(
    'SIGN_IN_CLIENTS is no list of identity providers.',
    'Mend what is named.',
  ),
  sign_in_clients_repeated: explain(
    'Two identity providers have one client_id.',
    'Name each once.',
  ),
  roles_malformed: explain('CONSOLE_ROLES gives no roles.', 'Mend what is named.'),
  issuers_repeated: explain('Two issuers have one name.', 'Name each once.'),
  second_awaited: explain(
    'A second administrator is needed: nothing has happened yet, but that a rollout which is to end is paused.',
    'Another administrator sends the same request.',
  ),
  labels_refused: explain('Labels are not as they may be.', 'Write them as the message says.'),
  labels_contended: explain('Somebody else changed the labels.', 'Look at them, and try again.'),
  import_refused: explain('Lines of the list are wrong.', 'Mend the lines that are named.'),
  entity_import_refused: explain(
    'Lines of the file are no entities.',
    'Mend the lines that are named.',
  ),
  csv_malformed: explain('The file is not CSV.', 'Mend it where the message says (RFC 4180).'),
  claim_unknown: explain('There is no such claim.', 'Use a name of the claims page.'),
  device_token_invalid: explain('The device token is none of ours.', 'Send it as it was given.'),
  device_token_expired: explain('The device token has expired.', 'Let the device attest.'),
  policy_document_invalid: explain(
    'The policy is not one.',
    'Lint it: npm run -s countersign -- policy lint.',
  ),
  policy_over_limit: explain(
    'The policy is too large.',
    'Lint it: npm run -s countersign -- policy lint.',
  ),
  policy_clause_repeated: explain('Two clauses have one id.', 'Rename one.'),
  policy_device_not_of_request: explain(
    'Whether a device is demanded reads more than the request.',
    'Let it read subject, resource, action and context alone.',
  ),
  reference_values_invalid: explain('The reference values are none.', 'Lint them.'),
  reference_values_over_limit: explain('The reference values are too many.', 'Lint them.'),
  policy_tests_invalid: explain('The tests of the policy cannot be read.', 'Mend what is named.'),
  rotation_under_way: explain('A newer key is announced already.', 'Wait until it signs.'),
  rotation_superseded: explain('Somebody else changed the keys.', 'Look at them, and decide anew.'),
  signing_keys_too_many: explain('There are too many keys.', 'Retire old ones.'),
  signing_key_unknown: explain('There is no such key.', 'Look it up with keys list.'),
  signing_key_retired: explain('The key is retired already.', 'Nothing has to be done.'),
  break_glass_keys_malformed: explain('The keys are no JWK set.', 'Write BREAK_GLASS_KEYS anew.'),
  break_glass_keys_too_many: explain('There are too many keys.', 'List fewer.'),
  break_glass_key_private: explain('A private key is listed.', 'Replace it; list public keys.'),
  break_glass_key_unusable: explain('A key is of another kind.', 'Use Ed25519 keys.'),
  break_glass_key_repeated: explain('A key is listed twice.', 'List each once.'),
  receipt_too_large: explain('The receipt is too large.', 'Give the receipt alone.'),
  receipt_malformed: explain('The receipt is no JWS.', 'Give context.receipt as it came.'),
  receipt_type_wrong: explain('The JWS is no receipt.', 'Give context.receipt as it came.'),
  receipt_algorithm_refused: explain('The receipt is signed otherwise.', 'It is not one of ours.'),
  receipt_key_unknown: explain('No key of the set signed it.', 'Give the key set of that time.'),
  receipt_signature_invalid: explain('The receipt was changed.', 'Give it as it came.'),
  receipt_issuer_differs: explain('Another service made it.', 'Check --issuer.'),
  receipt_inputs_malformed: explain('The inputs cannot be read.', 'Export them again.'),
  receipt_inputs_differ: explain(
    'The inputs are of another decision.',
    'Export those of this one.',
  ),
  receipt_decision_differs: explain(
    'Decided again, the result is another.',
    'Compare the member that is named.',
  ),
  receipt_input_not_stored: explain('An input is not stored any more.', 'Look into a backup.'),
  receipt_input_changed: explain('An input has changed since.', 'Look into a backup.'),
  ear_malformed: explain('The result is no EAR.', 'Mend the member that is named.'),
  ear_profile_unknown: explain('The profile of the result is not read.', 'Have it written as #04.'),
  ear_status_too_good: explain(
    'A status of the result is better than what it stands on.',
    'Do not believe its issuer.',
  ),
  ear_not_jws: explain('The result is no JWT.', 'Give it as it came.'),
  ear_type_wrong: explain('The JWT is no attestation result.', 'Give one of the type eat+jwt.'),
  ear_algorithm_refused: explain('The result is not signed by ES256.', 'Do not believe it.'),
  ear_key_unknown: explain('No key of the set signed it.', 'Give the key set of its issuer.'),
  ear_signature_invalid: explain('The result was changed.', 'Give it as it came.'),
  ear_issuer_differs: explain('Another service made it.', 'Check --issuer.'),
  ear_expired: explain('The result has ended.', 'Ask for another one, or give --at.'),
  ear_nonce_differs: explain('The result has another nonce.', 'Check the expected one.'),
  ear_unsigned: explain('Nobody signed these claims.', 'Give the JWT, and the keys of its issuer.'),
  token_nonce_differs: explain('The token has another nonce.', 'Check the expected one.'),
  request_challenge_differs: explain(
    'The request answers another challenge than the one given.',
    'Give the challenge that came with its service_context.',
  ),
  request_device_key_differs: explain(
    'The device key given is not that of the request.',
    'Give base64 of the SHA-256 of the attestation key as DER SubjectPublicKeyInfo.',
  ),
  pcr_file_malformed: explain('The file holds no PCR values.', 'Write it as tpm2_pcrread does.'),
  report_key_unreadable: explain(
    'The file gives no RSA key.',
    'Give a certificate, a public key or a VSM_IDKS_INFO.',
  ),
  report_key_too_large: explain('The file is too large.', 'Give one key.'),
  key_set_malformed: explain('The key set is none.', 'Give what the service serves.'),
  key_set_too_large: explain('The key set has too many keys.', 'Leave some out.'),
  key_set_empty: explain('The key set has no usable key.', 'Give what the service serves.'),
  backup_foreign: explain('The file is no backup of ours.', 'Give a file that backup wrote.'),
  backup_damaged: explain('The backup is damaged.', 'Copy it again, or take an older one.'),
  backup_of_newer_version: explain('A newer version wrote it.', 'Restore with that version.'),
  backup_differs: explain('The backup is not what it says.', 'Take another one.'),
  archive_malformed: explain('The archive cannot be read.', 'Copy it again.'),
  archive_truncated: explain('The archive is cut off.', 'Copy it again.'),
  boot_log_malformed: explain(
    'The file is no boot log that can be read.',
    'Give the log as Windows keeps it, under C:\\Windows\\Logs\\MeasuredBoot.',
  ),
  azure_policy_too_large: explain('The policy is too large.', 'Shorten it.'),
  azure_policy_malformed: explain('The policy is no text.', 'Write it in UTF-8.'),
  policy_signer_unusable: explain(
    'The signer cannot sign policies.',
    'Use an RSA key with its certificate.',
  ),
  policy_answer_malformed: explain('The provider answered no policy.', 'Try again later.'),
  policy_answer_algorithm_refused: explain('The answer is signed otherwise.', 'Check the URL.'),
  policy_answer_issuer_mismatch: explain('Another provider answered.', 'Check the URL.'),
  policy_answer_key_unknown: explain('No key of the provider signed it.', 'Try again later.'),
  policy_answer_key_expired: explain('The key of the answer has expired.', 'Try again later.'),
  policy_answer_signature_invalid: explain('The answer was changed.', 'Check the way to Azure.'),
  policy_answer_not_one: explain('The answer is no policy.', 'Check the URL.'),
  policy_answer_expired: explain('The answer has expired.', 'Check the clock.'),
  policy_answer_not_yet_valid: explain('The answer is from the future.', 'Check the clock.'),
  policy_answer_mismatch: explain('The policy is not the one that was set.', 'Read it again.'),
}
