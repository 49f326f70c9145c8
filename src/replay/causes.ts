import type { Documents } from '../access/assess.ts'
import { blockingReasons } from '../access/verdict.ts'
import { appraise } from '../appraisal/appraise.ts'
import { appraiseOrigin } from '../appraisal/origin.ts'
import { evaluatePolicy } from '../policy/language/evaluate.ts'
import { type Cause, keyOfCause } from '../rollout/hold.ts'
import type { PreviewAttestation, PreviewRecord } from './preview/compare.ts'

export type AttestedRecord = PreviewRecord & { readonly attestation: PreviewAttestation }

/**
 * All that speaks against the evidence of a device at a point in time, its age left aside and
 * nothing relieved; without clauses that are never held. `announced`: those that only report until a
 * date speak against it before.
 */
export function causesOf(
  record: AttestedRecord,
  { policy, referenceValues }: Documents,
  now: Date,
  { announced = false } = {},
): readonly Cause[] {
  const { claims, issuer, attestationPolicyHash } = record.attestation
  const causes: Cause[] = []
  const origin = appraiseOrigin({ claims, issuer, attestationPolicyHash, referenceValues, now })
  if (origin === 'policy_not_pinned') causes.push({ kind: origin, issuer })
  if (origin === 'hardware_unproven') causes.push({ kind: origin })
  if (origin === 'anchor_not_listed') {
    causes.push({ kind: origin, anchor: claims.aikTrustAnchor ?? '' })
  }
  const result = appraise({ claims, referenceValues, now })
  const attestation = { ...record.attestation, result }
  const outcomes = evaluatePolicy(policy, { device: record, attestation, now }, { scope: 'device' })
  const meant = outcomes.map((outcome) => {
    const severity = policy.clauseById.get(outcome.clause)?.severity
    return severity === undefined || !announced ? outcome : { ...outcome, severity }
  })
  for (const reason of blockingReasons(meant, 'device')) {
    if ('clause' in reason && policy.clauseById.get(reason.clause)?.isHeld) {
      causes.push({ kind: 'clause', clause: reason.clause })
    }
  }
  return causes
}

/** A cause that good devices have met, or are about to meet, more than chance would have it. */
export type Correlation = {
  readonly cause: Cause
  readonly devices: number
  /** Devices that were good before, this cause or not. */
  readonly good: number
  readonly examples: readonly string[]
}

/** When a cause is one of many devices. */
export type CorrelationLimits = {
  /** So many of the sample at least, and such a share of its good devices. */
  readonly devices: number
  readonly share: number
}

const EXAMPLES = 5

/**
 * Finds what many good devices fail, in a sample of the fleet. A device was good if nothing spoke
 * against it when it attested, under the rules of today; or if what speaks against it now was met
 * first within the window, and could not be met before because the device has always been asked for
 * it (`isArmed`: the rules are older than any evidence that still counts).
 *
 * It looks ahead: what the clock brings about is found before any device is denied for it.
 */
export function searchCorrelations(input: {
  readonly rulesOf: (record: AttestedRecord) => Documents
  readonly now: Date
  readonly lookAheadMs: number
  /** Since when a first failure is a new one. */
  readonly since: Date
  readonly isArmed: boolean
  readonly limits: CorrelationLimits
}): CorrelationSearch {
  const { rulesOf, now, since, isArmed, limits, lookAheadMs } = input
  const soon = new Date(now.getTime() + lookAheadMs)
  const met = new Map<string, { readonly cause: Cause; readonly devices: string[] }>()
  let good = 0
  const isNew = (record: AttestedRecord, cause: Cause) =>
    isArmed &&
    cause.kind === 'clause' &&
    record.createdAt < since &&
    isAtOrAfter(record.firstFailedAt[cause.clause], since)
  return {
    add(record) {
      const rules = rulesOf(record)
      // What a clause denies from a date on is meant: who failed it before is no news.
      const then = causesOf(record, rules, record.attestation.attestedAt, { announced: true })
      if (!then.every((cause) => isNew(record, cause))) return
      good += 1
      for (const cause of causesOf(shift(record, lookAheadMs), rules, soon)) {
        const key = keyOfCause(cause)
        const found = met.get(key) ?? { cause, devices: [] }
        met.set(key, found)
        found.devices.push(record.deviceId)
      }
    },
    found: () =>
      [...met.values()]
        .filter(
          ({ devices: { length } }) => length >= limits.devices && length >= limits.share * good,
        )
        .map(({ cause, devices }) => {
          return { cause, devices: devices.length, good, examples: devices.slice(0, EXAMPLES) }
        })
        .sort((a, b) => b.devices - a.devices),
  }
}

export type CorrelationSearch = {
  readonly add: (record: AttestedRecord) => void
  /** In what was added so far; the most devices first. */
  readonly found: () => readonly Correlation[]
}

function isAtOrAfter(noted: string | undefined, since: Date): boolean {
  return noted !== undefined && Date.parse(noted) >= since.getTime()
}

/** The same device as if it went on attesting: its evidence is not older then than it is now. */
export function shift<T extends AttestedRecord>(record: T, byMs: number): T {
  if (byMs === 0) return record
  const { attestation } = record
  const later = (time: Date) => new Date(time.getTime() + byMs)
  const { attestedAt, validUntil } = attestation
  return {
    ...record,
    attestation: {
      ...attestation,
      attestedAt: later(attestedAt),
      validUntil: later(validUntil),
    },
  }
}
