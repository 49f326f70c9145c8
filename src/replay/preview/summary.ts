import type { Standing } from '../../access/verdict.ts'
import type { Severity } from '../../policy/document/document.ts'
import type { ClauseStatus } from '../../policy/language/evaluate.ts'
import type { LaterLoss } from '../../rollout/budget.ts'
import type { QuestionsSummary } from '../questions/summary.ts'
import { compareKeys } from './tally.ts'

/**
 * What a document would have changed for the recorded fleet, as it is stored and printed. Shares
 * are of `compared`, from 0 to 1. `version` changes with the meaning of any member.
 *
 *   devices  = compared + all of not_compared
 *   compared = unchanged.granted + unchanged.denied
 *            + newly_denied + newly_refused + newly_allowed
 *
 * Whom `denied_later` counts is in one of these too, as it is at first.
 *
 * The model of a device is not recorded, so there is no breakdown by it.
 */
export type PreviewSummary = {
  readonly version: 2
  /** ISO 8601: the moment at which all verdicts were compared, and from which on. */
  readonly at: string
  readonly moments: MomentsLookedAt
  readonly in_force: RuleHashes
  readonly candidate: RuleHashes
  /** What is compared is the end of this rollout, for the devices that its document decides for in this stage. */
  readonly ends_rollout?: { readonly rollout_id: string; readonly stage: number }
  readonly devices: number
  readonly compared: number
  /** Of them, those for which a pin lets another version decide: nothing changes for them before it ends. */
  readonly pinned?: number
  /** What decides about these is no clause, so that no document changes it. */
  readonly not_compared: Readonly<Record<Standing, number>>
  readonly unchanged: { readonly granted: number; readonly denied: number }
  /** Trusted now, and not under the candidate. */
  readonly newly_denied: Change & {
    /** Of them, those of whom an enforced clause asks what was never recorded. */
    readonly undecidable: number
    readonly by_clause: readonly ClauseChange[]
  }
  /** Not trusted now, and trusted under the candidate; by the clauses that deny now. */
  readonly newly_allowed: Change & { readonly by_clause: readonly ClauseChange[] }
  /**
   * No clause is in the way, but the candidate no longer believes where the recorded evidence comes
   * from: it drops the verifier's policy that the token was issued under, or the root behind the
   * attestation key. Only another verifier's token or another key helps.
   */
  readonly newly_refused: Change & {
    readonly by_policy: readonly RefusedPolicy[]
    readonly by_anchor: readonly RefusedAnchor[]
  }
  /** Who has access at some later time without the candidate, and would not with it; not at first. */
  readonly denied_later: LaterDenials
  readonly by_label: Breakdown
  readonly by_ring: Breakdown
  readonly by_owner: Breakdown
  /** By the verifier that issued the recorded token. */
  readonly by_issuer: Breakdown
  /** What each clause of the candidate says about the compared devices. */
  readonly clauses: readonly ClauseCounts[]
  /** What was really asked, answered again; absent where only devices were replayed. */
  readonly questions?: QuestionsSummary
  /** Ids of clauses that read the request: recorded claims do not reach them. */
  readonly request_clauses: readonly string[]
  /** How old the recorded evidence is: the older, the less sure is any of this. */
  readonly evidence_age: {
    readonly compared: AgeCounts
    readonly newly_denied: AgeCounts
  }
}

/** When it was looked at devices, beside the ends of what relieves each of them. */
export type MomentsLookedAt = {
  /** ISO 8601, the first of them. */
  readonly looked_at: readonly string[]
  readonly count: number
  /** A clause goes by the hour or the day: it was looked when these begin, for a day or a week. */
  readonly hourly: boolean
  /** A clause makes of the clock what is bound to no date that it names: it was looked at each day of a year, and no further. */
  readonly year_ahead?: boolean
  /** Dates that documents name and that were too many to be looked at, with what follows them. */
  readonly left_out: number
  /** Of these, such that the candidate names: a document with any does not come into force. */
  readonly left_out_of_candidate: number
  /** Devices with more ends of reliefs than were looked at: with any a document does not come into force. */
  readonly devices_cut: number
}

export type LaterDenials = Change & {
  /** ISO 8601, the earliest first. */
  readonly by_date: readonly { readonly at: string; readonly devices: number }[]
  /** Devices at later dates than are listed. */
  readonly later_dates: number
  /** By clause or other reason, such as `anchor_not_listed`; a device is counted under each. */
  readonly by_cause: readonly (Span & {
    readonly cause: string
    readonly share: number
    readonly examples: readonly string[]
  })[]
}

/** So many devices, each at its time: ISO 8601, `null` where there is none. */
export type Span = {
  readonly devices: number
  readonly first: string | null
  readonly last: string | null
}

export type RuleHashes = { readonly policy: string; readonly reference_values: string }

export type Change = {
  readonly devices: number
  readonly share: number
}

/** A device that fails several clauses is counted under each of them. */
export type ClauseChange = Change & {
  readonly clause: string
  readonly undecidable: number
  /** The most frequent cause of being undecidable: `No such key: enclaveSvn`. */
  readonly cause: string | null
  /** The first few in the order of device ids. */
  readonly examples: readonly string[]
}

export type RefusedPolicy = Change & {
  readonly issuer: string
  readonly policy_hash: string
  readonly examples: readonly string[]
}

export type RefusedAnchor = Change & {
  /** Fingerprint of the root certificate; `null` where no root vouched for the key. */
  readonly anchor: string | null
  /** What reference values call it, those in force first. */
  readonly name: string | null
  readonly examples: readonly string[]
}

/** A device with several labels is counted under each of them. */
export type Breakdown = {
  /** Those with the most devices that would lose access, then with the most newly allowed. */
  readonly keys: readonly BreakdownRow[]
  /** The sum of all other keys. */
  readonly others: ChangeCounts
  /** Whether every key was counted; with very many different ones some are only in `others`. */
  readonly complete: boolean
}

export type ChangeCounts = {
  readonly newly_denied: number
  /** Of the newly denied. */
  readonly newly_undecidable: number
  readonly newly_refused: number
  readonly newly_allowed: number
  readonly denied_later: number
}

export type BreakdownRow = ChangeCounts & {
  /** `null`: devices without a label or without an owner. */
  readonly key: string | null
  /** All compared devices of this key; `null` if there were too many keys to know. */
  readonly compared: number | null
}

export type ClauseCounts = Readonly<Record<ClauseStatus, number>> & {
  readonly clause: string
  readonly severity: Severity
  readonly enforce_from: string | null
  readonly cause: string | null
  /** Devices that it would deny at once. */
  readonly denied: number
  /** Those that it would deny but for its grace, which ends at these times. */
  readonly in_grace: Span
  /** Devices that are allowed at first, and that it would deny from these times on. */
  readonly denied_later: Span
  /** Whether it applied to any recorded device at any time that was looked at. */
  readonly reached: boolean
}

export const AGES = ['under_1h', 'under_8h', 'under_1d', 'under_7d', 'older'] as const

export type AgeCounts = Readonly<Record<(typeof AGES)[number], number>>

/**
 * Devices that would lose access, at once or later, all of it or to something that they were seen to ask
 * for: what a release is measured by.
 */
export function countLosses({
  newly_denied,
  newly_refused,
  denied_later,
  questions,
}: Pick<PreviewSummary, 'newly_denied' | 'newly_refused' | 'denied_later' | 'questions'>): number {
  const asked = questions ? questions.newly_denied.devices + questions.denied_later.devices : 0
  return newly_denied.devices + newly_refused.devices + denied_later.devices + asked
}

/**
 * The same of a summary as it was stored; `undefined` for what this version did not write, and where no
 * questions were replayed.
 */
export function readLosses(stored: unknown): number | undefined {
  const { version, newly_denied, newly_refused, denied_later, questions } = Object(stored)
  const { newly_denied: asked, denied_later: askedLater } = Object(questions)
  const parts = [newly_denied, newly_refused, denied_later, asked, askedLater]
  const losses = parts.reduce((sum, part) => sum + Object(part).devices, 0)
  return version === 2 && Number.isSafeInteger(losses) && losses >= 0 ? losses : undefined
}

/**
 * Those of them that come later, by when, the earliest first. What a summary does not list counts from the
 * last date that it does.
 */
export function listLaterLosses({
  denied_later,
  questions,
}: Pick<PreviewSummary, 'denied_later' | 'questions'>): readonly LaterLoss[] {
  const { by_date, later_dates } = denied_later
  const last = by_date.at(-1)
  const { from = null, devices: asked = 0 } = questions?.denied_later ?? {}
  const losses = [
    ...by_date,
    ...(last === undefined ? [] : [{ at: last.at, devices: later_dates }]),
    ...(from === null ? [] : [{ at: from, devices: asked }]),
  ]
  return losses.filter(({ devices }) => devices > 0).sort((a, b) => compareKeys(a.at, b.at))
}

/** The same of a summary as it was stored, of which `readLosses` makes sense. */
export function readLaterLosses(stored: unknown): readonly LaterLoss[] {
  const { denied_later, questions } = Object(stored)
  const { by_date, later_dates } = Object(denied_later)
  // Nothing that no date is known of adds to what may be lost.
  if (!Array.isArray(by_date)) return []
  return listLaterLosses({ denied_later: { ...denied_later, by_date, later_dates }, questions })
}
