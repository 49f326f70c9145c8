import type { DeviceId } from '../../access/device-id.ts'
import type { DeviceTokenClaims } from '../../access/device-token.ts'
import type { KeySetsFailure } from '../../azure/key-sets.ts'
import { COMMAND } from '../../base/command.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Config } from '../../config/config.ts'
import type { KeyThumbprint } from '../../evidence/jws/confirmation-key.ts'
import type { AttestationTokenFailure } from '../../evidence/token/attestation-token.ts'
import type { AttestationId } from './attestation-id.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import type { Memory } from './memory.ts'
import {
  type RecordingDependencies,
  type RecordingFailure,
  recordAttestation,
} from './record-attestation.ts'
import type { Recorded } from './recorded.ts'
import { keepRefusal, noteRefusal, type RefusalDependencies } from './refusals.ts'
import type { SharedKeys } from './shared-keys.ts'
import type { SubmissionFailure } from './submission-failure.ts'
import {
  type ProvenDevice,
  type Submission,
  type SubmissionDependencies,
  verifySubmission,
} from './verify-submission.ts'

export type ReceivingDependencies = SubmissionDependencies &
  RecordingDependencies &
  RefusalDependencies & {
    readonly store: RecordingDependencies['store'] & RefusalDependencies['store']
    readonly config: SubmissionDependencies['config'] &
      RecordingDependencies['config'] &
      Pick<Config, 'unvouchedDevicesMost' | 'statusListTtlSeconds'>
    readonly metrics: Pick<
      Metrics,
      'attestations' | 'faults' | 'refusals' | 'refusalsNotKept' | 'sharedKeys'
    >
    readonly log: Log
    readonly clock: () => Date
    /** Attempts of one device that get as far as being recorded. */
    readonly limiter: DeviceLimiter
    /**
     * Nonces that were used up, by the proofs that came with them. `recorded`: here, so that the same
     * again is answered again. `refused`: who sends one again is told so. Neither costs the device
     * anything: whoever has read its traffic must not use its limit up.
     */
    readonly spentNonces: { readonly recorded: Memory; readonly refused: Memory }
    /** How often one recorded submission is answered again. */
    readonly repeatLimiter: DeviceLimiter
    readonly sharedKeys: SharedKeys
    readonly issueDeviceToken: (claims: ProvenDeviceClaims) => Promise<string>
    /** The index in the list of statuses of a place. */
    readonly statusIndexOf: (place: number) => number
  }

/** What a device token says, of a device and a key that were proven together. */
export type ProvenDeviceClaims = DeviceTokenClaims & {
  readonly deviceId: DeviceId
  readonly confirmationKey: KeyThumbprint
  readonly jti: AttestationId
}

export const RECEIVING_REASONS = [
  /** The device attests more often than it may. */
  'device_rate_limited',
] as const

export type ReceivingFailure =
  | SubmissionFailure
  | RecordingFailure
  | { readonly reason: (typeof RECEIVING_REASONS)[number]; readonly retryAfterSeconds: number }

/** A recorded submission, and what its device goes on with. */
export type AcceptedSubmission = Recorded & {
  readonly deviceToken: string
  readonly nextAttestationAt: Date
}

/** One submission on its way, for what is logged of it. */
type Attempt = { readonly requestId: string; readonly now: Date }

/** Devices come back after this share of the validity, spread so that they do not come together. */
const INTERVAL_SHARE = 0.5
const JITTER_SHARE = 0.2

/**
 * Takes what an agent handed in, of which nothing is verified, all the way: verifies it, records it
 * with what the rules in force make of it, and gives its device a token. An attestation is written
 * once, or not at all; the same submission again is answered again while its nonce lasts.
 *
 * Of a refusal nothing is written but, where a key was proven before it, that it happened. What an
 * outage of the verifier's keys refuses says nothing of the device, so that it leaves no trace there.
 */
export async function receiveSubmission(
  dependencies: ReceivingDependencies,
  submission: Submission,
  requestId: string,
): Promise<Result<AcceptedSubmission, ReceivingFailure>> {
  const { spentNonces } = dependencies
  const attempt = { requestId, now: dependencies.clock() }
  const { now } = attempt
  const verified = await verifySubmission(dependencies, submission, now)
  if (!verified.ok) {
    const { failure, device } = verified.refused
    return refuse(dependencies, { failure, device, ...attempt })
  }
  const device = verified.value
  const handedIn = `${device.nonce.id} ${device.digests.proof}`
  const isRepeated = spentNonces.recorded.has(handedIn)
  // Whoever writes a proof that was recorded otherwise than it was costs the device nothing either.
  const isSpentHere = !isRepeated && spentNonces.recorded.has(device.nonce.id)
  if (isSpentHere || spentNonces.refused.has(handedIn)) {
    return refuse(dependencies, { failure: { reason: 'nonce_spent' }, device, ...attempt })
  }
  const wait = isRepeated
    ? dependencies.repeatLimiter.charge(handedIn, now)
    : dependencies.limiter.charge(device.deviceId, now)
  if (wait > 0) {
    dependencies.metrics.refusals.labels('submission', 'device_rate_limited').inc()
    return err({ reason: 'device_rate_limited', retryAfterSeconds: wait })
  }
  const recorded = await recordAttestation(dependencies, device, now)
  if (recorded.ok) for (const spent of [device.nonce.id, handedIn]) spentNonces.recorded.add(spent)
  else if (recorded.failure.reason === 'nonce_spent') spentNonces.refused.add(handedIn)
  if (!recorded.ok) return refuse(dependencies, { failure: recorded.failure, device, ...attempt })
  return ok(await accept(dependencies, { device, recorded: recorded.value, requestId }))
}

async function accept(
  dependencies: ReceivingDependencies,
  accepted: {
    readonly device: ProvenDevice
    readonly recorded: Recorded
    readonly requestId: string
  },
): Promise<AcceptedSubmission> {
  const { device, recorded, requestId } = accepted
  const { deviceId, attestation, verdict, generation, statusPlace } = recorded
  const { attestationId, attestedAt, validUntil } = attestation
  const { confirmationKey } = device
  const { metrics, log, sharedKeys } = dependencies
  const { isRepeated } = recorded
  if (!isRepeated) metrics.attestations.labels(verdict.verdict).inc()
  if (sharedKeys.note(confirmationKey, deviceId)) metrics.sharedKeys.inc()
  log.info(isRepeated ? 'attestation_answered_again' : 'attestation_recorded', {
    request_id: requestId,
    device_id: deviceId,
    attestation_id: attestationId,
    verdict: verdict.verdict,
  })
  const deviceToken = await dependencies.issueDeviceToken({
    deviceId,
    confirmationKey,
    generation,
    statusIndex: statusIndex(dependencies, statusPlace),
    issuedAt: attestedAt,
    expiresAt: validUntil,
    jti: attestationId,
  })
  return { ...recorded, deviceToken, nextAttestationAt: nextAttestation(dependencies, attestedAt) }
}

function statusIndex(
  { config, statusIndexOf }: ReceivingDependencies,
  place: number | null,
): number | undefined {
  return place === null || config.statusListTtlSeconds === 0 ? undefined : statusIndexOf(place)
}

function nextAttestation({ config, random }: ReceivingDependencies, attestedAt: Date): Date {
  const validity = config.attestationValiditySeconds * 1000
  const [a = 0, b = 0, c = 0] = random(3)
  const chance = ((a << 16) | (b << 8) | c) / 2 ** 24
  const wait = validity * INTERVAL_SHARE * (1 - JITTER_SHARE * chance)
  return new Date(attestedAt.getTime() + wait)
}

async function refuse(
  dependencies: ReceivingDependencies,
  refused: Attempt & {
    readonly failure: SubmissionFailure | RecordingFailure
    readonly device: ProvenDevice | undefined
  },
): Promise<{ readonly ok: false; readonly failure: ReceivingFailure }> {
  const { failure, device, requestId, now } = refused
  const { reason } = failure
  if (reason === 'key_set_unavailable') {
    noteOutage(dependencies, failure, refused)
    return err(failure)
  }
  if (reason === 'policy_not_pinned') warnOfPolicy(dependencies, failure, refused)
  const deviceId = device?.deviceId
  const refusal = { stage: 'submission', failure, deviceId, requestId, now } as const
  noteRefusal(dependencies, refusal)
  if (reason === 'enrolment_full') warnOfBudget(dependencies, deviceId, refused)
  // What was overtaken is in the history already, as accepted.
  if (device === undefined || reason === 'attestation_overtaken') return err(failure)
  await keepRefusal(dependencies, {
    stage: 'submission',
    deviceId: device.deviceId,
    now,
    isVouched: device.isVouched,
    reasons: [{ code: reason }],
    digests: device.digests,
    trace: [{ step: 'submission', outcome: 'failed', detail: reason }],
    issuer: device.token.issuer,
    attestationPolicyHash: device.token.attestationPolicyHash,
  })
  return err(failure)
}

function noteOutage(
  { metrics, logBudget }: ReceivingDependencies,
  { reason }: KeySetsFailure,
  { requestId, now }: Attempt,
): void {
  metrics.faults.labels('agent').inc()
  logBudget.write('warn', reason, '', { request_id: requestId }, now)
}

function warnOfBudget(
  { logBudget, config }: ReceivingDependencies,
  deviceId: string | undefined,
  { requestId, now }: Attempt,
): void {
  const fields = {
    request_id: requestId,
    device_id: deviceId,
    reason: 'enrolment_full',
    most: config.unvouchedDevicesMost,
    remedy: 'set trust anchors, or raise UNVOUCHED_DEVICES_MOST',
  }
  logBudget.write('warn', 'enrolment_full', '', fields, now)
}

/** The token is the provider's own: its policy was changed, and no device gets in until it is pinned. */
function warnOfPolicy(
  { logBudget }: ReceivingDependencies,
  { detail }: AttestationTokenFailure,
  { requestId, now }: Attempt,
): void {
  const fields = {
    request_id: requestId,
    policy_hash: detail,
    remedy: `${COMMAND} azure policy diff, and if the policy is as it should be: ${COMMAND} azure policy pin`,
  }
  logBudget.write('warn', 'policy_not_pinned', '', fields, now)
}
