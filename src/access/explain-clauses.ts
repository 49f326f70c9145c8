import type { ClauseScope } from '../policy/document/compile.ts'
import type { Severity } from '../policy/document/document.ts'
import type { ClauseStatus } from '../policy/language/evaluate.ts'
import { bindVariables, type PolicyInput } from '../policy/language/input.ts'
import { pathsIn, valueAt } from '../policy/language/read-paths.ts'
import type { Assessment } from './assess.ts'
import { type Decided, describeRelief, type ToldRelief } from './decide.ts'

/** What one clause said in a decision, with all that it said it of. For administrators. */
export type ExplainedClause = {
  readonly clause: string
  readonly scope: ClauseScope
  readonly severity: Severity
  readonly status: ClauseStatus
  /** Why it is undecidable. */
  readonly cause?: string
  readonly when?: string
  readonly require: string
  /** What `when` and `require` read, by its path; `null` where there is no such value. */
  readonly reads: Readonly<Record<string, unknown>>
  /** It does not count for the moment. */
  readonly relief?: ToldRelief
}

/**
 * Every clause of a decision with its value and the values that it reads, in the order of the
 * document. What is told is the decision's own evaluation: nothing is decided here. Empty where it was
 * decided before any clause.
 */
export function explainClauses(decided: Decided): readonly ExplainedClause[] {
  const { rules, record, request, now } = decided.case
  const { assessment } = decided
  if (assessment === undefined || (record !== null && !record.attestation)) return []
  const variables = bindVariables({ ...evidenceOf(record, assessment), request, now })
  return assessment.clauseOutcomes.map(({ clause, scope, severity, status, cause }) => {
    const compiled = rules.policy.clauseById.get(clause)
    if (compiled === undefined) throw new TypeError(`the policy has no clause ${clause}`)
    const when = compiled.when?.source
    const require = compiled.require.source
    const paths = [...(when === undefined ? [] : pathsIn(when)), ...pathsIn(require)]
    const relief = assessment.relief?.find(({ reason }) => reason === clause)
    return {
      ...{ clause, scope, severity, status },
      ...(cause !== undefined && { cause }),
      ...(when !== undefined && { when }),
      require,
      reads: Object.fromEntries(
        paths.map((path) => [path.join('.'), valueAt(variables, path) ?? null]),
      ),
      ...(relief !== undefined && { relief: describeRelief(relief) }),
    }
  })
}

/** Nothing where no device was demanded and none was named. */
function evidenceOf(
  record: Decided['case']['record'],
  { result }: Assessment,
): Pick<PolicyInput, 'device' | 'attestation'> {
  const attestation = record?.attestation
  if (record === null || !attestation || result === undefined) return {}
  return { device: record, attestation: { ...attestation, result } }
}
