import type { Rules } from '../../access/assess.ts'
import { type Assessment, verdictOfAttestation } from '../../access/assess.ts'
import { ringOf } from '../../access/device-id.ts'
import type { Circumstances } from '../../access/relief.ts'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import { type DerivedVerdict, deriveVerdict } from '../../access/verdict.ts'
import { appraiseOrigin } from '../../appraisal/origin.ts'
import { toBase32, toBase64Url } from '../../encoding.ts'
import { err, ok, type Result } from '../../failure.ts'
import type { Course } from '../../rules.ts'
import type { Services } from '../../services.ts'
import type { RecordedVerdict } from '../../store/schema.ts'
import type { VerifiedSubmission } from './submission.ts'

export const RECORDING_REASONS = [
  'nonce_spent',
  'device_not_listed',
  /** Kept in the history; but another key of the device was proven at a later time already. */
  'attestation_overtaken',
] as const

export type RecordingFailure = { readonly reason: (typeof RECORDING_REASONS)[number] }

/** What was written, and what it comes to for a device that may be quarantined or pending. */
export type Recorded = {
  readonly attestation: RecordedAttestation
  readonly verdict: DerivedVerdict
  readonly rules: Rules
  /** What a device token for the proven key has to be of. */
  readonly generation: number
}

/** Appraises a verified submission under the rules in force and records it, or nothing. */
export async function recordAttestation(
  services: Services,
  submission: VerifiedSubmission,
  now: Date,
): Promise<Result<Recorded, RecordingFailure>> {
  const { course, record } = await findCourse(services, submission, now)
  const { rules, circumstances } = course
  const attestation = describeAttestation(services, submission, now)
  const assessment = verdictOfAttestation({ ...rules, attestation, record, now })
  const answer = await services.store.recordAttestation({
    deviceId: submission.deviceId,
    keyKind: submission.keyKind,
    deviceKeyHash: toBase64Url(submission.deviceKey),
    ring: ringOf(submission.deviceKey),
    enrolmentMode: services.config.enrolment,
    nonce: submission.nonce,
    attestation,
    ...describeAssessment(assessment),
    announcedVerdict: mayBeRelieved(assessment, circumstances)
      ? null
      : recordable(assessment.verdict),
    digests: submission.digests,
    evaluatedPolicyHash: rules.policy.hash,
    referenceValuesHash: rules.referenceValues.hash,
  })
  if (answer.outcome !== 'recorded') return err({ reason: answer.outcome })
  const { device } = answer
  if (device === null) throw new TypeError('what is recorded has a device')
  // A token of it would be one of a key that does not count.
  if (device.confirmationKey !== attestation.confirmationKey) {
    return err({ reason: 'attestation_overtaken' })
  }
  const verdict = deriveVerdict({
    record: { enrolment: device.enrolment, quarantine: device.quarantine, attestation },
    clauseOutcomes: assessment.clauseOutcomes,
    origin: appraiseOrigin({ ...attestation, referenceValues: rules.referenceValues, now }),
    now,
  })
  return ok({ attestation, verdict, rules, generation: device.generation })
}

export function newAttestationId(services: Services): string {
  return `att_${toBase32(services.random(16))}`
}

function describeAttestation(
  services: Services,
  { token, claims, confirmationKey }: VerifiedSubmission,
  now: Date,
): RecordedAttestation {
  const { attestationValiditySeconds } = services.config
  return {
    attestationId: newAttestationId(services),
    attestedAt: now,
    validUntil: new Date(now.getTime() + attestationValiditySeconds * 1000),
    issuer: token.issuer,
    policyHash: token.policyHash,
    confirmationKey,
    claims,
  }
}

/** What decides for this device, and its record where that is read. */
async function findCourse(
  services: Services,
  submission: VerifiedSubmission,
  now: Date,
): Promise<{ readonly course: Course; readonly record: TrustRecord | null }> {
  const steered = await services.rules.recent()
  if (steered.dependsOnLabels) {
    const record = await readDevice(services, submission, now)
    return { course: steered.courseOf(record, now), record }
  }
  const newcomer = {
    deviceId: submission.deviceId,
    labels: [],
    ring: ringOf(submission.deviceKey),
  }
  const course = steered.courseOf(newcomer, now)
  const { usesDevice } = course.rules.policy
  return { course, record: usesDevice ? await readDevice(services, submission, now) : null }
}

/**
 * The record that clauses about `device` read, and that rollouts and pins by label ask for: where
 * there are any, the one case of a second round trip. The standing is left aside, because the recorded verdict is on the evidence alone.
 */
async function readDevice(
  services: Services,
  { deviceId, deviceKey, keyKind }: VerifiedSubmission,
  now: Date,
): Promise<TrustRecord> {
  const { record } = await services.store.trustRecord(deviceId)
  const standing = { enrolment: 'admitted', quarantine: null } as const
  if (record !== null) return { ...record, ...standing }
  return {
    deviceId,
    keyKind,
    ...standing,
    owner: null,
    entraDeviceId: null,
    labels: [],
    ring: ringOf(deviceKey),
    attestation: null,
    firstFailedAt: {},
    generation: 1,
    vouched: false,
    createdAt: now,
  }
}

function describeAssessment({ verdict, reasons, clauseOutcomes, result }: Assessment) {
  return {
    verdict: recordable(verdict),
    reasons,
    failedClauses: clauseOutcomes
      .filter(({ status }) => status === 'fail' || status === 'undecidable')
      .map(({ clause }) => clause),
    trace: {
      status: result?.status ?? 'none',
      vector: result?.vector ?? {},
      clauses: clauseOutcomes.map(({ clause, status, cause }) => ({ clause, status, cause })),
    },
  }
}

/**
 * Whether a device that is not trusted on its evidence alone may still be. What has been failing for
 * how long is known to the store only, so that the sweep finds it out and tells others.
 */
function mayBeRelieved(
  { verdict, clauseOutcomes }: Assessment,
  { holds, allowedUntil }: Circumstances,
): boolean {
  if (verdict === 'trusted') return false
  if (holds.length > 0 || allowedUntil !== null) return true
  return clauseOutcomes.some(({ status, severity, graceMs }) => {
    const blocks = severity === 'enforce' && (status === 'fail' || status === 'undecidable')
    return blocks && graceMs !== undefined
  })
}

/** Of evidence that was just verified a verdict is never `stale` or `quarantined`. */
function recordable(verdict: Assessment['verdict']): RecordedVerdict {
  if (verdict === 'trusted' || verdict === 'untrusted' || verdict === 'unknown') return verdict
  throw new TypeError(`an attestation cannot be recorded as ${verdict}`)
}
