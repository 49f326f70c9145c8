import type { ClauseOutcome } from '../policy/evaluate.ts'
import type { RecordedAttestation, TrustRecord, Verdict } from './trust-record.ts'

/**
 * The verdict on a device. It is computed whenever it is asked for, never stored as the truth: the
 * first line that holds decides.
 *
 *   1  an administrator quarantined it          quarantined
 *   2  nobody admitted it yet                   unknown      enrolment_pending
 *   3  it never attested                        unknown      never_attested
 *   4  valid_until has come                     stale        stale
 *   5  an enforced clause fails                 untrusted    clause_failed …
 *   6  an enforced clause is undecidable        unknown      clause_undecidable …
 *   7  otherwise                                trusted
 *
 *        ┌──────────────── attest · change of policy or reference values ───────────────┐
 *        ▼                                       ▼                                      ▼
 *     trusted                                untrusted                       unknown (attested)
 *        └───────────────────────────────────────┼──────────────────────────────────────┘
 *                                        valid_until comes
 *                                                ▼
 *                                              stale ── attest ──► one of the three above
 *
 *     unknown (never attested, pending) ── attest, admit ──► one of the three above
 *     any ── quarantine ──► quarantined ── release ──► what lines 2 to 7 say
 *
 * Only an administrator ends a quarantine, only an attestation ends `stale`, and a failure of the
 * infrastructure is none of the inputs, so it moves nothing. A clause of severity `report` and a
 * clause about requests move nothing either.
 */
export function deriveVerdict(input: {
  readonly record: VerdictRecord
  /** What `evaluatePolicy` gave for this record; outcomes of request clauses are passed over. */
  readonly clauseOutcomes: readonly ClauseOutcome[]
  readonly now: Date
}): DerivedVerdict {
  const { record, clauseOutcomes, now } = input
  const standing = standingOf(record, now)
  if (standing !== undefined) return OF_STANDING[standing]

  const reasons = blockingReasons(clauseOutcomes, 'device')
  if (reasons.length === 0) return TRUSTED
  const failed = reasons.some(({ code }) => code === 'clause_failed')
  return { verdict: failed ? 'untrusted' : 'unknown', reasons }
}

/** What of a trust record the verdict depends on, beside what clauses read. */
export type VerdictRecord = Pick<TrustRecord, 'quarantine' | 'enrolment'> & {
  readonly attestation: Pick<RecordedAttestation, 'validUntil'> | null
}

export type DerivedVerdict = {
  readonly verdict: Verdict
  /** Empty for `trusted` and only for it. */
  readonly reasons: readonly VerdictReason[]
}

export type VerdictReason =
  | { readonly code: Standing }
  | { readonly code: ClauseReasonCode; readonly clause: string; readonly cause?: string }

export type ClauseReasonCode = 'clause_failed' | 'clause_undecidable'

/** What decides before any clause does. */
export type Standing = 'quarantined' | 'enrolment_pending' | 'never_attested' | 'stale'

const TRUSTED: DerivedVerdict = { verdict: 'trusted', reasons: [] }

const OF_STANDING: Readonly<Record<Standing, DerivedVerdict>> = {
  quarantined: { verdict: 'quarantined', reasons: [{ code: 'quarantined' }] },
  enrolment_pending: { verdict: 'unknown', reasons: [{ code: 'enrolment_pending' }] },
  never_attested: { verdict: 'unknown', reasons: [{ code: 'never_attested' }] },
  stale: { verdict: 'stale', reasons: [{ code: 'stale' }] },
}

function standingOf(record: VerdictRecord, now: Date): Standing | undefined {
  if (record.quarantine !== null) return 'quarantined'
  if (record.enrolment !== 'admitted') return 'enrolment_pending'
  if (record.attestation === null) return 'never_attested'
  // Written so that a time that is not a number is stale too.
  return record.attestation.validUntil.getTime() > now.getTime() ? undefined : 'stale'
}

/** The enforced clauses of one scope that do not let pass, failed ones first. */
export function blockingReasons(
  outcomes: readonly ClauseOutcome[],
  scope: ClauseOutcome['scope'],
): readonly VerdictReason[] {
  const failed: VerdictReason[] = []
  const undecidable: VerdictReason[] = []
  for (const outcome of outcomes) {
    const { clause, status, severity, cause } = outcome
    if (severity !== 'enforce' || outcome.scope !== scope) continue
    if (status === 'fail') failed.push({ code: 'clause_failed', clause })
    else if (status === 'undecidable') {
      undecidable.push({
        code: 'clause_undecidable',
        clause,
        ...(cause !== undefined && { cause }),
      })
    }
  }
  return [...failed, ...undecidable]
}
