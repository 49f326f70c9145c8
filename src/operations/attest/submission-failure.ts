import type { ClaimsFailure } from '../../appraisal/read-claims.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import { toBase64 } from '../../base/encoding.ts'
import { aboutMember } from '../../base/located.ts'
import { type Err, err } from '../../base/result.ts'
import type { ProofFailure } from '../../evidence/jws/confirmation.ts'
import { type NonceFailure, openNonce } from '../../evidence/nonce.ts'
import type {
  AttestationTokenFailure,
  VerifiedAttestationToken,
} from '../../evidence/token/attestation-token.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'

/** What token and proof may lack beside what is wrong with either. */
export const SUBMISSION_REASONS = [
  'token_kind_refused',
  'proof_missing',
  'token_without_confirmation',
  'token_confirmation_unbound',
  'token_without_nonce',
  'token_without_device_key',
] as const

type SubmissionReason = (typeof SUBMISSION_REASONS)[number]

/** Why what an agent handed in is not recorded, before it is appraised. */
export type SubmissionFailure =
  | KeySetsFailure
  | AttestationTokenFailure
  | ClaimsFailure
  | ProofFailure
  | NonceFailure
  | { readonly reason: SubmissionReason; readonly member: string; readonly expected?: string }

/** The members of what was handed in, for refusals: of the body, and the header DPoP. */
export const TOKEN = 'token'
const PROOF = 'dpop'
const MEMBERS: Readonly<Record<SubmissionReason, string>> = {
  token_kind_refused: TOKEN,
  proof_missing: PROOF,
  token_without_confirmation: `${TOKEN}.cnf`,
  token_confirmation_unbound: `${TOKEN}.cnf`,
  token_without_nonce: `${TOKEN}.nonce`,
  token_without_device_key: `${TOKEN}.aikPubHash`,
}

const NONCE_OF_TOKEN = {
  member: `${TOKEN}.nonce`,
  expected: 'rp_data of the request: the nonce of POST /v1/challenge as it is, encoded once',
} as const

/** A refusal of what was handed in as a whole. */
export function refuse(reason: SubmissionReason): Err<SubmissionFailure> {
  const expected = reason === 'token_without_nonce' ? NONCE_OF_TOKEN.expected : undefined
  return err({ reason, member: MEMBERS[reason], ...(expected !== undefined && { expected }) })
}

/**
 * Where the nonces of proof and token differ, one of them is wrong: it is the token's, and so `rp_data`
 * of the evidence, if that is none of ours for this device.
 */
export function blameNonce(
  failure: ProofFailure,
  submitted: {
    readonly token: VerifiedAttestationToken
    readonly deviceKey: Uint8Array | undefined
    readonly secrets: PurposeKeys
    readonly now: Date
  },
): SubmissionFailure {
  const { token, deviceKey, secrets, now } = submitted
  const { nonce } = token
  if (failure.reason !== 'proof_nonce_mismatch') return aboutMember(failure, PROOF)
  if (nonce === undefined) return refuse('token_without_nonce').failure
  if (deviceKey === undefined) return failure
  const opened = openNonce({ secrets, deviceKey, nonce, now })
  if (opened.ok || opened.failure.reason === 'nonce_expired') return failure
  return { ...opened.failure, ...NONCE_OF_TOKEN }
}

/** A nonce that is none of ours for this device may be one for a wrong hash of its key. */
export function aboutNonce(failure: NonceFailure, deviceKey: Uint8Array): SubmissionFailure {
  if (failure.reason !== 'nonce_foreign') return { ...failure, ...NONCE_OF_TOKEN }
  const expected = `${NONCE_OF_TOKEN.expected}, asked for with device_key ${toBase64(deviceKey)}`
  return { ...failure, member: NONCE_OF_TOKEN.member, expected }
}
