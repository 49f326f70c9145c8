import type { Standing } from '../../access/verdict.ts'

/**
 * Who would lose access if verifiers were out, as it is printed. Times are ISO 8601, shares are of
 * `trusted` from 0 to 1. `version` changes with the meaning of any member.
 *
 *   devices = trusted + all of not_counted
 *   with_grace.devices <= without_grace.devices <= trusted
 */
export type DrillSummary = {
  readonly version: 1
  /** When the fleet was looked at. */
  readonly at: string
  /** The outage: nobody can attest from the one to the other. */
  readonly from: string
  readonly until: string
  readonly step_seconds: number
  readonly grace_seconds: number
  /** Issuer of the verifier that is out; `null` where all of them are. */
  readonly verifier: string | null
  readonly devices: number
  /** Trusted when the outage begins, by a verifier that is out. */
  readonly trusted: number
  readonly not_counted: Readonly<Record<NotCounted, number>>
  /** The verifiers of those that are not counted because theirs is not out. */
  readonly other_verifiers: readonly { readonly issuer: string; readonly devices: number }[]
  readonly without_grace: Losses
  readonly with_grace: Losses
  /** How many have lost access by then, from the beginning of the outage to its end. */
  readonly steps: readonly DrillStep[]
  /**
   * The least grace with which nobody's evidence ends before the outage does; `null` where that
   * takes none. May be more than can be set.
   */
  readonly grace_needed_seconds: number | null
  /** By what denies first: `stale`, a clause, or what is believed no more. */
  readonly by_reason: readonly ReasonLosses[]
  readonly by_label: DrillBreakdown
  readonly by_owner: DrillBreakdown
  readonly by_verifier: DrillBreakdown
  /** Those that lose access first, with the grace if any do. */
  readonly examples: readonly DrillExample[]
}

export type NotCounted =
  | Standing
  /** By a clause, or its evidence is believed no more. */
  | 'denied'
  /** Trusted now, but it has to attest again before the outage begins. */
  | 'before_outage'
  | 'other_verifier'

export type Losses = {
  readonly devices: number
  readonly share: number
  readonly first: string | null
  /** The first step at which half of the trusted devices, or all of them, have lost access. */
  readonly half_by: string | null
  readonly all_by: string | null
}

export type DrillStep = {
  readonly at: string
  readonly without_grace: number
  readonly with_grace: number
}

export type ReasonLosses = {
  readonly reason: string
  readonly without_grace: number
  readonly with_grace: number
}

/** A device with several labels is counted under each of them. */
export type DrillBreakdown = {
  /** Those that lose most come first. */
  readonly keys: readonly DrillRow[]
  /** The sum of all other keys. */
  readonly others: DrillCounts
  /** Whether every key was counted; with very many different ones some are only in `others`. */
  readonly complete: boolean
}

export type DrillCounts = {
  readonly trusted: number
  readonly without_grace: number
  readonly with_grace: number
}

export type DrillRow = DrillCounts & {
  /** `null`: devices without a label or without an owner. */
  readonly key: string | null
  readonly examples: readonly DrillExample[]
}

export type DrillExample = {
  readonly device_id: string
  /** When it loses access. */
  readonly without_grace: string
  /** `null`: not before the outage ends. */
  readonly with_grace: string | null
}
