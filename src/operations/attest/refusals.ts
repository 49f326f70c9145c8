import type { DeviceId } from '../../access/device-id.ts'
import { describePlace, placeOf } from '../../base/located.ts'
import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Failure } from '../../base/result.ts'
import { type RefusalToRecord, STRANGERS } from '../../store/devices/recording.ts'
import type { Store } from '../../store/store.ts'
import type { VerifierTrace } from '../../verifier/steps/trace.ts'
import { newAttestationId } from './attestation-id.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import type { RecentRefusals } from './recent-refusals.ts'

export type RefusalDependencies = {
  readonly store: Pick<Store, 'recordRefusal' | 'recordStranger'>
  readonly metrics: Pick<Metrics, 'refusals' | 'refusalsNotKept'>
  readonly logBudget: LogBudget
  readonly recentRefusals: Pick<RecentRefusals, 'note'>
  /** How many refused attempts of one device are kept in a minute. */
  readonly refusalLimiter: DeviceLimiter
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

/** An attempt that was refused. */
export type Refusal = {
  readonly stage: keyof typeof EVENTS
  readonly failure: Failure
  /** The device whose key was proven before the refusal; nobody else's attempts are attributable. */
  readonly deviceId: DeviceId | undefined
  readonly requestId: string
  readonly now: Date
  /** The steps that were taken before it. */
  readonly trace?: VerifierTrace
}

/** What an administrator finds of a refused attempt beside the attempt itself. Never evidence. */
export type RefusalRecord = Pick<
  RefusalToRecord,
  'isVouched' | 'reasons' | 'digests' | 'trace' | 'issuer' | 'attestationPolicyHash'
>

const EVENTS = {
  submission: 'attestation_refused',
  evidence: 'evidence_refused',
  enrolment: 'enrolment_refused',
} as const

/**
 * Counts a refusal, remembers it for whoever asks by the id of its request, and writes a line of it
 * while the budget of its reason lasts.
 */
export function noteRefusal(
  {
    metrics,
    logBudget,
    recentRefusals,
  }: Pick<RefusalDependencies, 'logBudget' | 'recentRefusals'> & {
    readonly metrics: Pick<Metrics, 'refusals'>
  },
  refusal: Refusal,
): void {
  const { stage, failure, deviceId, requestId, now } = refusal
  const { reason } = failure
  metrics.refusals.labels(stage, reason).inc()
  recentRefusals.note(refusal)
  const where = placeOf(failure)
  const fields = {
    request_id: requestId,
    device_id: deviceId,
    reason,
    where: where && describePlace(where),
    expected: failure.expected,
  }
  logBudget.write('info', EVENTS[stage], reason, fields, now)
}

/**
 * Keeps a refusal that a proven key earned, because it is what an administrator asks about: so many
 * a minute of each device. Evidence of devices that nobody knows or vouches for, such as those whose
 * enrolment is refused, has as many together, and little of it is kept (`STRANGERS`). Submissions of theirs
 * are not: a token of our verifier has passed there, and of these anybody can have as many as he likes.
 */
export async function keepRefusal(
  { store, metrics, refusalLimiter, random }: RefusalDependencies,
  {
    stage,
    now,
    ...refusal
  }: Pick<Refusal, 'now'> & { readonly stage: 'submission' | 'evidence' } & RefusalRecord & {
      readonly deviceId: DeviceId
    },
): Promise<void> {
  if (refusalLimiter.charge(refusal.deviceId, now) > 0) return
  const attempt = {
    ...refusal,
    attestationId: newAttestationId(random),
    at: now,
    stage,
    claims: null,
    referenceValuesHash: null,
  }
  if ((await store.recordRefusal(attempt)) === 'kept') return
  const isShown = stage === 'evidence' && refusalLimiter.charge(STRANGERS, now) === 0
  if (isShown) await store.recordStranger(attempt)
  else metrics.refusalsNotKept.labels(stage).inc()
}
