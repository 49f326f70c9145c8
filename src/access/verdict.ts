import type { Origin } from '../appraisal/origin.ts'
import type { ClauseOutcome } from '../policy/language/evaluate.ts'
import { graceOfClause, outageGrace } from './grace.ts'
import {
  allowanceOf,
  holdOfClause,
  holdOfOrigin,
  type Relief,
  type ReliefSituation,
} from './relief.ts'
import type { RecordedAttestation, TrustRecord, Verdict } from './trust-record.ts'

/**
 * The verdict on a device. It is computed whenever it is asked for, never stored as the truth: the
 * first line that holds decides.
 *
 *   1  an administrator quarantined it          quarantined
 *   2  nobody admitted it yet                   unknown      enrolment_pending
 *   3  it never attested                        unknown      never_attested
 *   4  valid_until has come                     stale        stale
 *   5  its verifier's policy or root of trust
 *      is believed no more, or nobody vouches
 *      for its hardware, which is required      unknown      policy_not_pinned, anchor_not_listed,
 *                                                            hardware_unproven
 *   6  an enforced clause fails                 untrusted    clause_failed …
 *   7  an enforced clause is undecidable        unknown      clause_undecidable …
 *   8  otherwise                                trusted
 *
 * Lines 4 to 7 can be relieved (`Relief`): by an administrator's allowance all of them, else each by
 * what was made for it: grace and a hold of its cause. A relieved line is passed over and told.
 *
 *        ┌──── attest · other policy, reference values or labels · relief begins or ends ────┐
 *        ▼                                         ▼                                         ▼
 *     trusted                                  untrusted                            unknown (attested)
 *        └─────────────────────────────────────────┼─────────────────────────────────────────┘
 *               valid_until comes, or the relief   │   ▲  attest · relief of `stale` begins
 *               of `stale` ends after it           ▼   │  (an outage, an allowance): one of the three
 *                                                stale
 *
 *     waiting: unknown (never attested, pending) ── attest, admit ──► one of the three above
 *     waiting ── admit ──► stale, where what it attested has ended
 *     any ── quarantine ──► quarantined ── release ──► what lines 2 to 8 say
 *
 * The clock alone takes away only: no device becomes trusted by it, and none leaves `stale`. Where a
 * clause or reference values read the clock, or a pin ends, it acts as other documents do. Only an
 * administrator ends a quarantine or a wait for admission; only an attestation, or relief that says
 * so, ends `stale`. A failure of the infrastructure is none of the inputs, so it moves nothing by
 * itself. A clause of severity `report` and a clause about requests move nothing either.
 */
export function deriveVerdict(input: VerdictInput): DerivedVerdict {
  const { record, clauseOutcomes, now } = input
  const standing = standingOf(record, now)
  if (standing !== undefined && standing !== 'stale') return OF_STANDING[standing]
  const situation = input.relief && { ...input.relief, now }
  const allowance = situation && allowanceOf(situation)
  const relieved: Relief[] = []
  if (standing === 'stale') {
    const relief = allowance ?? (situation && outageGrace(situation))
    if (relief === undefined) return OF_STANDING.stale
    relieved.push(relief)
  }
  const { origin = 'accepted' } = input
  if (origin !== 'accepted') {
    const relief = allowance ?? (situation && holdOfOrigin(origin, situation))
    if (relief === undefined) return OF_ORIGIN[origin]
    relieved.push(relief)
  }
  const reasons: VerdictReason[] = []
  for (const [reason, outcome] of blockingOutcomes(clauseOutcomes, 'device')) {
    const relief = allowance ?? (situation && reliefOfClause(outcome, situation))
    if (relief === undefined) reasons.push(reason)
    else relieved.push(relief)
  }
  if (reasons.length > 0) {
    const failed = reasons.some(({ code }) => code === 'clause_failed')
    return { verdict: failed ? 'untrusted' : 'unknown', reasons }
  }
  if (relieved.length === 0) return TRUSTED
  return { verdict: 'trusted', reasons: [], relief: allowance ? [allowance] : relieved }
}

export type VerdictInput = {
  readonly record: VerdictRecord
  /** What `evaluatePolicy` gave for this record; outcomes of request clauses are passed over. */
  readonly clauseOutcomes: readonly ClauseOutcome[]
  /** Whether the evidence is still believed; `accepted` where somebody else looks after it. */
  readonly origin?: Origin
  /** Without it nothing is relieved: the verdict on the evidence alone. */
  readonly relief?: ReliefInput | undefined
  readonly now: Date
}

export type ReliefInput = Omit<ReliefSituation, 'now'>

/** What of a trust record the verdict depends on, beside what clauses read. */
export type VerdictRecord = Pick<TrustRecord, 'quarantine' | 'enrolment'> & {
  readonly attestation: Pick<RecordedAttestation, 'validUntil'> | null
}

export type DerivedVerdict = {
  readonly verdict: Verdict
  /** Empty for `trusted` and only for it. */
  readonly reasons: readonly VerdictReason[]
  /** What was passed over for it to be `trusted`; absent where nothing was. */
  readonly relief?: readonly Relief[]
}

export type VerdictReason =
  | { readonly code: Standing | Exclude<Origin, 'accepted'> }
  | { readonly code: ClauseReasonCode; readonly clause: string; readonly cause?: string }

export type ClauseReasonCode = 'clause_failed' | 'clause_undecidable'

/** What decides before any clause does. */
export type Standing = 'quarantined' | 'enrolment_pending' | 'never_attested' | 'stale'

export function isStanding(code: VerdictReason['code']): code is Standing {
  return Object.hasOwn(OF_STANDING, code)
}

const TRUSTED: DerivedVerdict = { verdict: 'trusted', reasons: [] }

const OF_STANDING: Readonly<Record<Standing, DerivedVerdict>> = {
  quarantined: because('quarantined', 'quarantined'),
  enrolment_pending: because('unknown', 'enrolment_pending'),
  never_attested: because('unknown', 'never_attested'),
  stale: because('stale', 'stale'),
}

const OF_ORIGIN: Readonly<Record<Exclude<Origin, 'accepted'>, DerivedVerdict>> = {
  policy_not_pinned: because('unknown', 'policy_not_pinned'),
  anchor_not_listed: because('unknown', 'anchor_not_listed'),
  hardware_unproven: because('unknown', 'hardware_unproven'),
}

function because(verdict: Verdict, code: Standing | Exclude<Origin, 'accepted'>): DerivedVerdict {
  return { verdict, reasons: [{ code }] }
}

/** What relieves a device of one clause: its own time for repair goes before a hold. */
export function reliefOfClause(
  outcome: ClauseOutcome,
  situation: ReliefSituation,
): Relief | undefined {
  return graceOfClause(outcome, situation) ?? holdOfClause(outcome.clause, situation)
}

type StandingRecord = Pick<VerdictRecord, 'enrolment' | 'attestation'> & {
  readonly quarantine: object | null
}

/** What decides about a device before any clause does. */
export function standingOf(record: StandingRecord, now: Date): Standing | undefined {
  if (record.quarantine !== null) return 'quarantined'
  if (record.enrolment !== 'admitted') return 'enrolment_pending'
  if (record.attestation === null) return 'never_attested'
  // Written so that a time that is not a number is stale too.
  return record.attestation.validUntil.getTime() > now.getTime() ? undefined : 'stale'
}

/** Whether nothing but its evidence decides about a device: it is attested, admitted and free. */
export function isActiveAt(record: StandingRecord, now: Date): boolean {
  return standingOf(record, now) === undefined
}

/** The enforced clauses of one scope that do not let pass, failed ones first. */
export function blockingReasons(
  outcomes: readonly ClauseOutcome[],
  scope: ClauseOutcome['scope'],
): readonly VerdictReason[] {
  return blockingOutcomes(outcomes, scope).map(([reason]) => reason)
}

function blockingOutcomes(
  outcomes: readonly ClauseOutcome[],
  scope: ClauseOutcome['scope'],
): readonly (readonly [VerdictReason, ClauseOutcome])[] {
  const failed: [VerdictReason, ClauseOutcome][] = []
  const undecidable: [VerdictReason, ClauseOutcome][] = []
  for (const outcome of outcomes) {
    const { clause, status, severity, cause } = outcome
    if (severity !== 'enforce' || outcome.scope !== scope) continue
    if (status === 'fail') failed.push([{ code: 'clause_failed', clause }, outcome])
    else if (status === 'undecidable') {
      const told = {
        code: 'clause_undecidable',
        clause,
        ...(cause !== undefined && { cause }),
      } as const
      undecidable.push([told, outcome])
    }
  }
  return [...failed, ...undecidable]
}
