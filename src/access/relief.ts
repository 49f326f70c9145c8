import type { AttestationClaims } from '../appraisal/claims.ts'
import type { Origin } from '../appraisal/origin.ts'
import type { Cause } from '../rollout/hold.ts'
import type { TrustRecord } from './trust-record.ts'

/**
 * What may keep access open although something is wrong. All of it is bounded in time, all of it is
 * told in the decision, and none of it is written into a verdict of an attestation.
 */
export type Reliefs = {
  /** Since when the policy that decides is in force for the device: grace begins no earlier. */
  readonly policySince: Date
  /** The same of the reference values, for clauses that read what they say. */
  readonly referenceValuesSince?: Date | undefined
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
export type ReliefRecord = Pick<TrustRecord, 'firstFailedAt' | 'graces' | 'createdAt'> & {
  readonly attestation: {
    readonly attestedAt: Date
    readonly validUntil: Date
    readonly issuer: string
    readonly claims: AttestationClaims
  }
}

/** Who is relieved of something, by what there is to relieve it, when. */
export type ReliefSituation = {
  readonly record: ReliefRecord
  readonly reliefs: Reliefs
  readonly bindingOf?: BindingOf | undefined
  readonly now: Date
}

/**
 * How the documents bind a device to a clause that it does not meet (`createBinding`). Without it they
 * do since the policy is in force.
 */
export type BindingOf = (clause: string) => Binding

/** In milliseconds of the epoch. */
export type Binding = {
  /** Since when they bind it. */
  readonly since: number
  /** The last moment, named by them, before which they did not; minus infinity for none. */
  readonly anew: number
}

/** A hold of a clause that fails or is undecidable, for a device that met it first in its time. */
export function holdOfClause(clause: string, situation: ReliefSituation): Relief | undefined {
  const { record, now } = situation
  const noted = record.firstFailedAt[clause]
  const met = noted === undefined ? now : new Date(noted)
  const hold = findHold(situation, {
    isCause: (cause) => cause.kind === 'clause' && cause.clause === clause,
    isCovered: ({ covers }) => met >= covers && record.createdAt < covers,
  })
  return hold && { kind: 'hold', reason: clause, until: hold.until }
}

/**
 * For evidence that was believed when it was recorded, and would not be now. That nobody vouches for
 * hardware is held for evidence of before the hold alone: what comes after it knows what is asked for.
 */
export function holdOfOrigin(
  reason: Exclude<Origin, 'accepted'>,
  situation: ReliefSituation,
): Relief | undefined {
  const { issuer, claims, attestedAt } = situation.record.attestation
  const isCause: Readonly<Record<typeof reason, (cause: Cause) => boolean>> = {
    policy_not_pinned: (cause) => cause.kind === 'policy_not_pinned' && cause.issuer === issuer,
    anchor_not_listed: (cause) =>
      cause.kind === 'anchor_not_listed' && cause.anchor === (claims.aikTrustAnchor ?? ''),
    hardware_unproven: (cause) => cause.kind === 'hardware_unproven',
  }
  const hold = findHold(situation, {
    isCause: isCause[reason],
    isCovered: ({ covers }) => reason !== 'hardware_unproven' || attestedAt < covers,
  })
  return hold && { kind: 'hold', reason, until: hold.until }
}

/** For a device that an administrator allows: whatever its evidence says. */
export function allowanceOf({ reliefs, now }: ReliefSituation): Relief | undefined {
  const { allowedUntil } = reliefs
  if (allowedUntil === null || !(now < allowedUntil)) return undefined
  return { kind: 'allowance', until: allowedUntil }
}

/** The hold that is open and is of such a cause. */
export function findHold(
  { reliefs, now }: ReliefSituation,
  wanted: {
    readonly isCause: (cause: Cause) => boolean
    readonly isCovered: (hold: HeldCause) => boolean
  },
): HeldCause | undefined {
  const { isCause, isCovered } = wanted
  return reliefs.holds.find((hold) => now < hold.until && isCause(hold.cause) && isCovered(hold))
}
