import type { Documents } from '../../access/assess.ts'
import { type Assessment, verdictOfAttestation } from '../../access/assess.ts'
import { deviceIdOf } from '../../access/device-id.ts'
import type { Reliefs } from '../../access/relief.ts'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import { type DerivedVerdict, deriveVerdict } from '../../access/verdict.ts'
import { appraiseOrigin } from '../../appraisal/origin.ts'
import { toBase32, toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Services } from '../../compose/services.ts'
import type { RecordingAnswer } from '../../store/devices/recording.ts'
import type { RecordedVerdict } from '../../store/schema/schema.ts'
import type { DeviceRules } from '../release/rules-in-force.ts'
import { linkTpm } from './link-tpm.ts'
import type { VerifiedSubmission } from './submission.ts'
import type { UnvouchedFailure } from './unvouched-devices.ts'

export const RECORDING_REASONS = [
  'nonce_spent',
  'device_not_listed',
  /** Kept in the history; but another key of the device was proven at a later time already. */
  'attestation_overtaken',
  'device_keys_exhausted',
] as const

export type RecordingFailure =
  | { readonly reason: (typeof RECORDING_REASONS)[number] }
  | UnvouchedFailure

/** What was written, and what it comes to for a device that may be quarantined or pending. */
export type Recorded = {
  /** Of the device that it was recorded for: its own, where what the evidence names is a name of it. */
  readonly deviceId: string
  readonly attestation: RecordedAttestation
  readonly verdict: DerivedVerdict
  readonly rules: Documents
  /** What a device token for the proven key has to be of. */
  readonly generation: number
}

/** A device is found in so many steps at most: a key that is new to a TPM, which has another name. */
const MAX_NAMES = 4

/**
 * Appraises a verified submission under the rules in force and records it, or nothing. A device is
 * recorded at the first try, unless the name that its evidence gives is one of several of it, or is
 * not known yet to be: then it is linked first, and recorded under its own.
 */
export async function recordAttestation(
  services: Services,
  submission: VerifiedSubmission,
  now: Date,
): Promise<Result<Recorded, RecordingFailure>> {
  let deviceId = submission.deviceId
  for (let names = 0; names < MAX_NAMES; names += 1) {
    const answer = await recordUnder(services, { ...submission, deviceId }, now)
    if ('ok' in answer) return answer
    if (answer.outcome === 'linked') deviceId = answer.linkedDeviceId
    else {
      const link = await linkDevice(services, submission, now)
      if (!link.ok) return link
      deviceId = link.value
    }
  }
  throw new Error(`the names of device ${submission.deviceId} keep changing`)
}

type AnotherName = Extract<RecordingAnswer, { outcome: 'linked' | 'link_needed' }>

async function recordUnder(
  services: Services,
  submission: VerifiedSubmission,
  now: Date,
): Promise<Result<Recorded, RecordingFailure> | AnotherName> {
  const { deviceId, deviceKey, identity, keyKind } = submission
  const { deviceRules, record } = await findDeviceRules(services, submission, now)
  const { rules, reliefs } = deviceRules
  const attestation = describeAttestation(services, submission, now)
  const assessment = verdictOfAttestation({ ...rules, attestation, record, now })
  const entry = await services.unvouched.mayEnter(attestation, rules.referenceValues, now)
  const answer = await services.store.recordAttestation({
    deviceId,
    keyKind,
    deviceKeyHash: toBase64Url(identity),
    linkedKey: namesItself(submission) ? null : toBase64Url(deviceKey),
    ring: services.ringOf(identity),
    // Whoever is known attests as ever.
    enrolmentMode: entry.ok ? services.config.enrolment : 'listed',
    nonce: submission.nonce,
    attestation,
    ...describeAssessment(assessment),
    announcedVerdict: mayBeRelieved(assessment, reliefs) ? null : recordable(assessment.verdict),
    digests: submission.digests,
    evaluatedPolicyHash: rules.policy.hash,
    referenceValuesHash: rules.referenceValues.hash,
  })
  if (answer.outcome === 'linked' || answer.outcome === 'link_needed') return answer
  const isListed = services.config.enrolment === 'listed'
  if (answer.outcome === 'device_not_listed' && !entry.ok && !isListed) return entry
  if (answer.outcome !== 'recorded') return err({ reason: answer.outcome })
  const { device } = answer
  if (device === null) throw new TypeError('what is recorded has a device')
  if (device.isNew) services.unvouched.noteNew(attestation.claims, now)
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
  return ok({ deviceId, attestation, verdict, rules, generation: device.generation })
}

/** Whether the key of a submission is what names the device. */
function namesItself({ deviceId, deviceKey }: VerifiedSubmission): boolean {
  return deviceId === deviceIdOf(deviceKey)
}

/** The evidence names the TPM, and that this key is one of its keys is news to the store. */
async function linkDevice(
  services: Services,
  { identity, keyKind, deviceKey, token }: VerifiedSubmission,
  now: Date,
): Promise<Result<string, RecordingFailure>> {
  const detail = { cause: 'certificate', verifier: token.issuer }
  const of = { identity, keyKind, deviceKey, otherNames: [], ticket: null }
  const linked = await linkTpm(services, { ...of, detail, now })
  if (linked.ok) return ok(linked.value.deviceId)
  const { reason } = linked.failure
  if (reason === 'ticket_spent') throw new TypeError('no ticket was given')
  return err({ reason })
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
    attestationPolicyHash: token.attestationPolicyHash,
    confirmationKey,
    claims,
  }
}

/** What decides for this device, and its record where that is read. */
async function findDeviceRules(
  services: Services,
  submission: VerifiedSubmission,
  now: Date,
): Promise<{ readonly deviceRules: DeviceRules; readonly record: TrustRecord | null }> {
  const rulesInForce = await services.rules.recent()
  // The ring of a device that is known by another name is in its record, and not in this one.
  const isOther = submission.deviceId !== deviceIdOf(submission.identity)
  if (rulesInForce.dependsOnLabels || isOther) {
    const record = await readDevice(services, submission, now)
    return { deviceRules: rulesInForce.rulesFor(record, now), record }
  }
  const newcomer = {
    deviceId: submission.deviceId,
    labels: [],
    ring: services.ringOf(submission.identity),
  }
  const deviceRules = rulesInForce.rulesFor(newcomer, now)
  const { usesDevice } = deviceRules.rules.policy
  return { deviceRules, record: usesDevice ? await readDevice(services, submission, now) : null }
}

/**
 * The record that clauses about `device` read, and that rollouts and pins by label ask for: where
 * there are any, the one case of a second round trip. The standing is left aside, because the recorded verdict is on the evidence alone.
 */
async function readDevice(
  services: Services,
  { deviceId, identity, keyKind }: VerifiedSubmission,
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
    ring: services.ringOf(identity),
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
  { holds, allowedUntil }: Reliefs,
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
