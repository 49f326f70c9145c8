import { type Assessment, verdictOfAttestation } from '../../access/assess.ts'
import { type BindingInput, createBinding, hasDeniedBefore } from '../../access/binding.ts'
import { comingDenials } from '../../access/coming-denials.ts'
import type { DeviceId } from '../../access/device-id.ts'
import { forgottenAfterMs } from '../../access/grace.ts'
import type { Reliefs } from '../../access/relief.ts'
import type { RecordedAttestation, TrustRecord } from '../../access/trust-record.ts'
import { unmetClauses } from '../../access/unmet.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Config } from '../../config/config.ts'
import { type ClauseOutcome, isBlocking } from '../../policy/language/evaluate.ts'
import type { GraceToNote, RecordingAnswer } from '../../store/devices/recording.ts'
import type { RecordedVerdict } from '../../store/schema/device-schema.ts'
import type { Store } from '../../store/store.ts'
import type { DeviceRules, RulesReader } from '../release/rules-in-force.ts'
import { newAttestationId } from './attestation-id.ts'
import { type LinkServices, linkTpm } from './link-tpm.ts'
import { findRecorded, type Recorded, verdictOn } from './recorded.ts'
import type { UnvouchedDevices, UnvouchedFailure } from './unvouched-devices.ts'
import type { VerifiedSubmission } from './verify-submission.ts'

export type RecordingDependencies = LinkServices & {
  readonly rules: Pick<RulesReader, 'recent'>
  readonly store: LinkServices['store'] &
    Pick<Store, 'recordAttestation' | 'recordedSubmission' | 'trustRecord'>
  readonly unvouched: UnvouchedDevices
  readonly config: LinkServices['config'] & Pick<Config, 'attestationValiditySeconds'>
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

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

/** A submission, and the device that it is to be recorded for. */
type Entry = {
  readonly submission: VerifiedSubmission
  readonly deviceId: DeviceId
  /** Of what the evidence names. */
  readonly ring: number
  readonly now: Date
}

/** A device is found in so many steps at most: a key that is new to a TPM, which has another name. */
const MAX_NAMES = 4

/**
 * Appraises a verified submission under the rules in force and records it with its verdict, its audit
 * row, its event and its nonce, which is spent, or nothing. A device is recorded at the first try,
 * unless the name that its evidence gives is one of several of it, or is not known yet to be: then it
 * is linked first, and recorded under its own.
 */
export async function recordAttestation(
  dependencies: RecordingDependencies,
  submission: VerifiedSubmission,
  now: Date,
): Promise<Result<Recorded, RecordingFailure>> {
  let { deviceId } = submission
  const ring = dependencies.ringOf(submission.identity)
  for (let names = 0; names < MAX_NAMES; names += 1) {
    const answer = await recordUnder(dependencies, { submission, deviceId, ring, now })
    if ('ok' in answer) return answer
    if (answer.outcome === 'linked') deviceId = answer.linkedDeviceId
    else {
      const link = await linkDevice(dependencies, submission, now)
      if (!link.ok) return link
      deviceId = link.value
    }
  }
  throw new Error(`the names of device ${submission.deviceId} keep changing`)
}

type AnotherName = Extract<RecordingAnswer, { outcome: 'linked' | 'link_needed' }>

async function recordUnder(
  dependencies: RecordingDependencies,
  entry: Entry,
): Promise<Result<Recorded, RecordingFailure> | AnotherName> {
  const { submission, deviceId, ring, now } = entry
  const { deviceKey, identity } = submission
  const { store, unvouched, config } = dependencies
  const { deviceRules, record } = await findDeviceRules(dependencies, entry)
  const { rules, reliefs } = deviceRules
  const attestation = describeAttestation(dependencies, submission, now)
  const assessment = verdictOfAttestation({ ...rules, attestation, record, now })
  const admission = await unvouched.mayEnter(submission.claims, assessment.origin, now)
  const answer = await store.recordAttestation({
    deviceId,
    keyKind: submission.keyKind,
    deviceKeyHash: toBase64Url(identity),
    linkedKey: deviceId === submission.keyName ? null : toBase64Url(deviceKey),
    ring,
    // Whoever is known attests as ever.
    enrolmentMode: admission.ok ? config.enrolment : 'listed',
    nonce: submission.nonce,
    attestation,
    ...describeAssessment(assessment),
    graces: gracesToNote({ deviceRules, attestation, record, assessment, now }),
    announcedVerdict: mayBeRelieved(assessment, reliefs) ? null : recordable(assessment.verdict),
    digests: submission.digests,
    evaluatedPolicyHash: rules.policy.hash,
    referenceValuesHash: rules.referenceValues.hash,
  })
  if (answer.outcome === 'linked' || answer.outcome === 'link_needed') return answer
  const isListed = config.enrolment === 'listed'
  if (answer.outcome === 'device_not_listed' && !admission.ok && !isListed) return admission
  if (answer.outcome === 'nonce_spent') {
    const again = await findRecorded(store, { submission, deviceId, deviceRules, assessment, now })
    return again === null ? err({ reason: 'nonce_spent' }) : ok(again)
  }
  if (answer.outcome !== 'recorded') return err({ reason: answer.outcome })
  const { device } = answer
  if (device === null) throw new TypeError('what is recorded has a device')
  if (device.isNew) unvouched.noteNew(submission.claims, now)
  // A token of it would be one of a key that does not count.
  if (device.confirmationKey !== attestation.confirmationKey) {
    return err({ reason: 'attestation_overtaken' })
  }
  const verdict = verdictOn(device, { attestation, onEvidence: assessment, now })
  const { firstFailedAt, graces, generation, statusPlace } = device
  const noted = { attestation, firstFailedAt, graces, createdAt: record?.createdAt ?? now }
  const coming = comingDenials({
    ...{ ...rules, reliefs, assessment, now },
    ...{ record: noted, device: record ?? undefined },
  })
  const recorded = { deviceId, attestation, verdict, rules, coming, generation, statusPlace }
  return ok({ ...recorded, isRepeated: false })
}

/** Hours in which a clause does not apply repair nothing: it fails if it denied the same in others. */
function stateOf(outcome: ClauseOutcome, binding: BindingInput): GraceToNote['state'] {
  if (isBlocking(outcome)) return 'fails'
  const clause = binding.policy.clauseById.get(outcome.clause)
  if (outcome.status !== 'not_applicable' || clause?.clock !== 'hours') return 'met'
  return hasDeniedBefore(clause, binding) ? 'fails' : 'rests'
}

/** Of the clauses that deny now and give time for repair, whether they fail, and since when they bind. */
function gracesToNote(input: {
  readonly deviceRules: DeviceRules
  readonly attestation: RecordedAttestation
  readonly record: TrustRecord | null
  readonly assessment: Assessment
  readonly now: Date
}): readonly GraceToNote[] {
  const { deviceRules, attestation, record, assessment, now } = input
  const { rules, reliefs } = deviceRules
  const device = record ?? undefined
  const binding = { ...rules, device, attestation, reliefs, now }
  const bindingOf = createBinding(binding)
  return assessment.clauseOutcomes.flatMap((outcome) => {
    const { clause, severity, graceMs } = outcome
    if (severity !== 'enforce' || graceMs === undefined) return []
    const state = stateOf(outcome, binding)
    const { since, anew } = bindingOf(clause)
    // When what is met would begin to deny anew, these claims do not tell.
    const begins = state === 'fails' && Number.isFinite(anew) ? new Date(anew) : null
    const bound = { since: new Date(since), anew: begins }
    return [{ clause, state, bound, forgottenAfterMs: forgottenAfterMs(graceMs) }]
  })
}

/** The evidence names the TPM, and that this key is one of its keys is news to the store. */
async function linkDevice(
  dependencies: RecordingDependencies,
  { identity, keyKind, deviceKey, token }: VerifiedSubmission,
  now: Date,
): Promise<Result<DeviceId, RecordingFailure>> {
  const detail = { cause: 'certificate', verifier: token.issuer }
  const of = { identity, keyKind, deviceKey, otherNames: [], ticket: null }
  const linked = await linkTpm(dependencies, { ...of, detail, now })
  if (linked.ok) return ok(linked.value.deviceId)
  const { reason } = linked.failure
  if (reason === 'ticket_spent') throw new TypeError('no ticket was given')
  return err({ reason })
}

function describeAttestation(
  { config, random }: RecordingDependencies,
  { token, claims, confirmationKey }: VerifiedSubmission,
  now: Date,
): Recorded['attestation'] {
  return {
    attestationId: newAttestationId(random),
    attestedAt: now,
    validUntil: new Date(now.getTime() + config.attestationValiditySeconds * 1000),
    issuer: token.issuer,
    attestationPolicyHash: token.attestationPolicyHash,
    confirmationKey,
    claims,
  }
}

/** What decides for this device, and its record where that is read. */
async function findDeviceRules(
  dependencies: RecordingDependencies,
  entry: Entry,
): Promise<{ readonly deviceRules: DeviceRules; readonly record: TrustRecord | null }> {
  const { submission, deviceId, ring, now } = entry
  const rulesInForce = await dependencies.rules.recent()
  // The ring of a device that is known by another name is in its record, and not in this one.
  const isOther = deviceId !== submission.deviceId
  if (rulesInForce.dependsOnLabels || isOther) {
    const record = await readDevice(dependencies, entry)
    return { deviceRules: rulesInForce.rulesFor(record, now), record }
  }
  const deviceRules = rulesInForce.rulesFor({ deviceId, labels: [], ring }, now)
  const { usesDevice } = deviceRules.rules.policy
  return { deviceRules, record: usesDevice ? await readDevice(dependencies, entry) : null }
}

/**
 * The record that clauses about `device` read, and that rollouts and pins by label ask for: where
 * there are any, the one case of a second round trip. The standing is left aside, because the
 * recorded verdict is on the evidence alone.
 */
async function readDevice(
  { store }: RecordingDependencies,
  { submission, deviceId, ring, now }: Entry,
): Promise<TrustRecord> {
  const { record } = await store.trustRecord(deviceId)
  const standing = { enrolment: 'admitted', quarantine: null } as const
  if (record !== null) return { ...record, ...standing }
  return {
    deviceId,
    keyKind: submission.keyKind,
    ...standing,
    owner: null,
    entraDeviceId: null,
    labels: [],
    ring,
    attestation: null,
    firstFailedAt: {},
    graces: {},
    generation: 1,
    vouched: false,
    createdAt: now,
  }
}

function describeAssessment({ verdict, reasons, clauseOutcomes, result }: Assessment) {
  return {
    verdict: recordable(verdict),
    reasons,
    failedClauses: unmetClauses(clauseOutcomes),
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
  return clauseOutcomes.some((one) => isBlocking(one) && one.graceMs !== undefined)
}

/** Of evidence that was just verified a verdict is never `stale` or `quarantined`. */
function recordable(verdict: Assessment['verdict']): RecordedVerdict {
  if (verdict === 'trusted' || verdict === 'untrusted' || verdict === 'unknown') return verdict
  throw new TypeError(`an attestation cannot be recorded as ${verdict}`)
}
