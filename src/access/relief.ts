import type { AttestationClaims } from '../appraisal/claims.ts'
import type { Origin } from '../appraisal/origin.ts'
import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import type { Cause } from '../rollout/hold.ts'
import type { TrustRecord } from './trust-record.ts'

/**
 * What may keep access open although something is wrong. All of it is bounded in time, all of it is
 * told in the decision, and none of it is written into a verdict of an attestation.
 */
export type Reliefs = {
  /** Since when the policy that decides is in force for the device: grace begins no earlier. */
  readonly policySince: Date
  readonly holds: readonly HeldCause[]
  /** An administrator's allowance. */
  readonly allowedUntil: Date | null
  /** For how long evidence counts past its end while its verifier cannot be reached. */
  readonly outageGraceMs: number
}

export type HeldCause = {
  readonly cause: Cause
  /** Devices that met the cause before this, or were not known then, are denied as ever. */
  readonly covers: Date
  readonly until: Date
}

/** Why something that is wrong does not count, and until when. */
export type Relief = {
  readonly kind: ReliefKind
  /** The clause or other reason that does not count; absent where none does (`allowance`). */
  readonly reason?: string
  readonly until: Date
}

export type ReliefKind =
  /** The clause gives time for repair. */
  | 'grace'
  /** Many good devices met the same cause at once: that speaks against the cause. */
  | 'hold'
  /** The verifier cannot be reached. */
  | 'outage_grace'
  /** An administrator said so. */
  | 'allowance'

/** What of a trust record relief depends on. */
export type ReliefRecord = Pick<TrustRecord, 'firstFailedAt' | 'createdAt'> & {
  readonly attestation: {
    readonly attestedAt: Date
    readonly validUntil: Date
    readonly issuer: string
    readonly claims: AttestationClaims
  }
}

type Situation = {
  readonly record: ReliefRecord
  readonly reliefs: Reliefs
  readonly now: Date
}

/** For a clause that fails or is undecidable. */
export function reliefOfClause(
  outcome: Pick<ClauseOutcome, 'clause' | 'graceMs'>,
  { record, reliefs, now }: Situation,
): Relief | undefined {
  const { clause, graceMs } = outcome
  const noted = record.firstFailedAt[clause]
  if (graceMs !== undefined) {
    // Without a note it was last known to pass when it attested, or before it was asked for.
    const { attestedAt } = record.attestation
    const since = noted === undefined ? latest(reliefs.policySince, attestedAt) : Date.parse(noted)
    const until = since + graceMs
    if (now.getTime() < until) return { kind: 'grace', reason: clause, until: new Date(until) }
  }
  const met = noted === undefined ? now : new Date(noted)
  const hold = findHold(reliefs, {
    now,
    isCause: (cause) => cause.kind === 'clause' && cause.clause === clause,
    isCovered: ({ covers }) => met >= covers && record.createdAt < covers,
  })
  return hold && { kind: 'hold', reason: clause, until: hold.until }
}

/**
 * For evidence that was believed when it was recorded, and would not be now. That nobody vouches for
 * hardware is held for evidence of before the hold alone: what comes after it knows what is asked for.
 */
export function reliefOfOrigin(
  reason: Exclude<Origin, 'accepted'>,
  { record, reliefs, now }: Situation,
): Relief | undefined {
  const { issuer, claims, attestedAt } = record.attestation
  const isCause: Readonly<Record<typeof reason, (cause: Cause) => boolean>> = {
    policy_not_pinned: (cause) => cause.kind === 'policy_not_pinned' && cause.issuer === issuer,
    anchor_not_listed: (cause) =>
      cause.kind === 'anchor_not_listed' && cause.anchor === (claims.aikTrustAnchor ?? ''),
    hardware_unproven: (cause) => cause.kind === 'hardware_unproven',
  }
  const hold = findHold(reliefs, {
    now,
    isCause: isCause[reason],
    isCovered: ({ covers }) => reason !== 'hardware_unproven' || attestedAt < covers,
  })
  return hold && { kind: 'hold', reason, until: hold.until }
}

/** For evidence that is too old. */
export function reliefOfStaleness({ record, reliefs, now }: Situation): Relief | undefined {
  const { issuer, validUntil } = record.attestation
  const end = validUntil.getTime() + reliefs.outageGraceMs
  if (!(now.getTime() < end)) return undefined
  const hold = findHold(reliefs, {
    now,
    isCause: (cause) => cause.kind === 'stale' && cause.issuer === issuer,
    isCovered: () => true,
  })
  if (hold === undefined) return undefined
  const until = new Date(Math.min(end, hold.until.getTime()))
  return { kind: 'outage_grace', reason: 'stale', until }
}

/** For a device that an administrator allows: whatever its evidence says. */
export function reliefByAllowance({ reliefs, now }: Situation): Relief | undefined {
  const { allowedUntil } = reliefs
  if (allowedUntil === null || !(now < allowedUntil)) return undefined
  return { kind: 'allowance', until: allowedUntil }
}

function findHold(
  { holds }: Reliefs,
  input: {
    readonly now: Date
    readonly isCause: (cause: Cause) => boolean
    readonly isCovered: (hold: HeldCause) => boolean
  },
): HeldCause | undefined {
  const { now, isCause, isCovered } = input
  return holds.find((hold) => now < hold.until && isCause(hold.cause) && isCovered(hold))
}

function latest(a: Date, b: Date): number {
  return Math.max(a.getTime(), b.getTime())
}
