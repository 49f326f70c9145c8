import type { ActivationFailure } from '../../operations/attest/activate-enrolment.ts'
import type { BeginFailure } from '../../operations/attest/begin-enrolment.ts'
import type { ProblemCode } from '../errors/problem.ts'

export type EnrolmentFailure = BeginFailure | ActivationFailure

type CertificateReason = Extract<EnrolmentFailure['reason'], `certificate_${string}`>
type OtherReason = Exclude<EnrolmentFailure['reason'], CertificateReason>

/** The one map from reasons to the wire. Of a certificate the detail says what is wrong with it. */
export const ENROLMENT_CODES: Readonly<Record<OtherReason, ProblemCode>> = {
  truncated: 'ak_public_malformed',
  trailing_bytes: 'ak_public_malformed',
  length_over_limit: 'ak_public_malformed',
  unexpected_value: 'ak_public_malformed',
  tpm_key_malformed: 'ak_refused',
  tpm_key_unsupported: 'ak_refused',
  tpm_key_weak: 'ak_refused',
  ak_attributes_refused: 'ak_refused',
  ak_algorithm_refused: 'ak_refused',
  ek_key_unsupported: 'ek_certificate_refused',
  ek_public_mismatch: 'ek_public_mismatch',
  ek_purpose_missing: 'ek_certificate_refused',
  ek_type_not_accepted: 'ek_type_not_accepted',
  ek_anchor_withdrawn: 'ek_certificate_refused',
  ticket_foreign: 'ticket_foreign',
  ticket_expired: 'ticket_expired',
  ticket_spent: 'ticket_spent',
  secret_wrong: 'secret_wrong',
  device_not_listed: 'device_not_listed',
  device_keys_exhausted: 'device_keys_exhausted',
  activation_rate_limited: 'device_rate_limited',
}

/** What an agent is told of a refused enrolment. */
export function toEnrolmentProblem(failure: EnrolmentFailure): {
  readonly code: ProblemCode
  readonly detail: string
  readonly retryAfterSeconds: number | undefined
} {
  const { reason } = failure
  if (reason === 'certificate_issuer_unavailable') {
    const { retryAfterSeconds } = failure
    return { code: 'issuer_unavailable', detail: reason, retryAfterSeconds }
  }
  const code = isCertificateReason(reason) ? 'ek_certificate_refused' : ENROLMENT_CODES[reason]
  const said = 'detail' in failure && failure.detail !== undefined ? `: ${failure.detail}` : ''
  const retryAfterSeconds = 'retryAfterSeconds' in failure ? failure.retryAfterSeconds : undefined
  return { code, detail: `${reason}${said}`, retryAfterSeconds }
}

function isCertificateReason(reason: EnrolmentFailure['reason']): reason is CertificateReason {
  return reason.startsWith('certificate_')
}
