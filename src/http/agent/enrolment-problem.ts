import type { Explanation } from '../../base/explanation.ts'
import type { ActivationFailure } from '../../operations/attest/activate-enrolment.ts'
import type { BeginFailure } from '../../operations/attest/begin-enrolment.ts'
import { PROTOCOL_ANSWERS } from '../../verifier/protocol/protocol-answers.ts'
import { AGENT_PROBLEMS } from '../errors/agent-problems.ts'
import type { AgentProblemCode, ProblemCode } from '../errors/problem-code.ts'

export type EnrolmentFailure = BeginFailure | ActivationFailure

type CertificateReason = Extract<EnrolmentFailure['reason'], `certificate_${string}`>
type OtherReason = Exclude<EnrolmentFailure['reason'], CertificateReason>

type EnrolmentAnswer = Explanation & { readonly told: AgentProblemCode }

const enrolment = (told: AgentProblemCode, cause: string, change: string): EnrolmentAnswer => {
  return { told, cause, change }
}

/**
 * The one map from reasons to the wire: `told` is the code, and the reason begins the detail. What is
 * wrong with certificates is told as of those of attestation keys.
 */
export const ENROLMENT_ANSWERS: Readonly<Record<OtherReason, EnrolmentAnswer>> = {
  truncated: { told: 'ak_public_malformed', ...PROTOCOL_ANSWERS.truncated },
  trailing_bytes: { told: 'ak_public_malformed', ...PROTOCOL_ANSWERS.trailing_bytes },
  length_over_limit: { told: 'ak_public_malformed', ...PROTOCOL_ANSWERS.length_over_limit },
  unexpected_value: { told: 'ak_public_malformed', ...PROTOCOL_ANSWERS.unexpected_value },
  tpm_key_malformed: { told: 'ak_refused', ...PROTOCOL_ANSWERS.tpm_key_malformed },
  tpm_key_unsupported: { told: 'ak_refused', ...PROTOCOL_ANSWERS.tpm_key_unsupported },
  tpm_key_weak: { told: 'ak_refused', ...PROTOCOL_ANSWERS.tpm_key_weak },
  ak_attributes_refused: enrolment(
    'ak_refused',
    'The attestation key lacks an attribute, or has one that it must not have.',
    'Create it with fixedTPM, fixedParent, sensitiveDataOrigin, restricted and sign, and without decrypt and x509sign.',
  ),
  ak_algorithm_refused: enrolment(
    'ak_refused',
    'The attestation key has a name algorithm or scheme that is not accepted.',
    'Create it with a name algorithm of SHA-256 or stronger and a signing scheme of its own.',
  ),
  ek_key_unsupported: enrolment(
    'ek_certificate_refused',
    'The endorsement key is of no default template.',
    'Use RSA-2048, RSA-3072, P-256 or P-384 by a template of the EK Credential Profile.',
  ),
  ek_public_mismatch: enrolment(
    'ek_public_mismatch',
    'ek_public is not the key of the certificate, or of no default template.',
    'Create the endorsement key by a default template, or leave ek_public out.',
  ),
  ek_purpose_missing: enrolment(
    'ek_certificate_refused',
    'The certificate does not say that its key is an endorsement key.',
    'Send the certificate that the maker of the TPM put into it.',
  ),
  ek_type_not_accepted: enrolment(
    'ek_type_not_accepted',
    'The service does not accept endorsement keys of this type.',
    'Use another endorsement key, or ask the administrator (EK_KEY_TYPES).',
  ),
  ek_anchor_withdrawn: enrolment(
    'ek_certificate_refused',
    'The authority of the endorsement key counts no more since the enrolment began.',
    'Ask the administrator of the service (EK_TRUST_ANCHORS).',
  ),
  activation_rate_limited: enrolment(
    'device_rate_limited',
    'The device enrols too often.',
    'Come back after the seconds in Retry-After.',
  ),
  ticket_foreign: { told: 'ticket_foreign', ...AGENT_PROBLEMS.ticket_foreign },
  ticket_expired: { told: 'ticket_expired', ...AGENT_PROBLEMS.ticket_expired },
  ticket_spent: { told: 'ticket_spent', ...AGENT_PROBLEMS.ticket_spent },
  secret_wrong: { told: 'secret_wrong', ...AGENT_PROBLEMS.secret_wrong },
  device_not_listed: { told: 'device_not_listed', ...AGENT_PROBLEMS.device_not_listed },
  device_keys_exhausted: { told: 'device_keys_exhausted', ...AGENT_PROBLEMS.device_keys_exhausted },
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
  const code = isCertificateReason(reason)
    ? codeOfCertificate(reason)
    : ENROLMENT_ANSWERS[reason].told
  const said = 'detail' in failure && failure.detail !== undefined ? `: ${failure.detail}` : ''
  const retryAfterSeconds = 'retryAfterSeconds' in failure ? failure.retryAfterSeconds : undefined
  return { code, detail: `${reason}${said}`, retryAfterSeconds }
}

/** That a certificate cannot be read is a matter of how it was sent, and not of whom to trust. */
function codeOfCertificate(reason: CertificateReason): AgentProblemCode {
  return UNREADABLE.has(reason) ? 'ek_certificate_malformed' : 'ek_certificate_refused'
}

const UNREADABLE: ReadonlySet<CertificateReason> = new Set([
  'certificate_too_large',
  'certificate_malformed',
])

function isCertificateReason(reason: EnrolmentFailure['reason']): reason is CertificateReason {
  return reason.startsWith('certificate_')
}
