import type { Failure } from '../../base/result.ts'
import { BUILT_IN_KINDS, type BuiltInFailure } from '../kinds/built-in.ts'
import type { EvidenceKind } from '../kinds/kind.ts'
import type { ProtocolFailure } from './protocol-failure.ts'
import { ANSWERS, PARSE_ANSWERS, type WireAnswer, type WireError } from './wire-answers.ts'

/** Every reason of the protocol has an answer; those of a kind of evidence stand with the kind. */
const ANSWER_OF: Readonly<Record<ProtocolFailure['reason'], WireAnswer>> = {
  api_version_missing: 'apiVersion',
  api_version_unsupported: 'apiVersion',
  message_too_large: 'tooLarge',
  message_encoding_invalid: 'malformed',
  message_member_missing: 'malformed',
  message_member_invalid: 'malformed',
  message_member_too_long: 'tooLarge',
  message_member_misplaced: 'malformed',
  json_malformed: 'malformed',
  json_duplicate_member: 'malformed',
  json_too_deep: 'malformed',
  json_too_many_values: 'malformed',
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
  ...PARSE_ANSWERS,
}

/** What agents are told about the refusals of a verifier that knows `kinds`. */
export function createWireErrors<F extends Failure>(
  kinds: readonly EvidenceKind<F>[],
): (failure: ProtocolFailure | F) => WireError {
  const ofKinds: Record<string, WireAnswer> = Object.assign(
    {},
    ...kinds.map((kind) => kind.answers),
  )
  const answers: Readonly<Record<string, WireAnswer>> = { ...ofKinds, ...ANSWER_OF }
  return ({ reason }) => {
    const answer = answers[reason]
    if (answer === undefined) throw new TypeError(`nothing says how ${reason} is answered`)
    return ANSWERS[answer]
  }
}

/** What the agent is told about a refusal: coarse, so that probing teaches nothing. */
export const toWireError: (failure: ProtocolFailure | BuiltInFailure) => WireError =
  createWireErrors(BUILT_IN_KINDS)
