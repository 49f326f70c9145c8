import type { ClauseScope, CompiledClause, CompiledPolicy } from '../document/compile.ts'
import type { Severity } from '../document/document.ts'
import { bindVariables, type PolicyInput, type Variables } from './input.ts'

/** What one clause says about one device, or about one request that concerns it. */
export type ClauseOutcome = {
  readonly clause: string
  readonly scope: ClauseScope
  readonly severity: Severity
  readonly status: ClauseStatus
  /** Why it is undecidable, for an administrator: `No such key: enclaveSvn`. */
  readonly cause?: string
  /** Of a clause that gives time for repair. */
  readonly graceMs?: number
}

/** `undecidable`: it needs a value that is absent. `not_applicable`: its `when` is false. */
export type ClauseStatus = 'pass' | 'fail' | 'undecidable' | 'not_applicable'

const MAX_CAUSE_CHARS = 200

/**
 * Evaluates the clauses that decide about a device, or all clauses for a request, in the order of
 * the document. It never throws over what the input holds or lacks.
 */
export function evaluatePolicy(
  policy: CompiledPolicy,
  input: PolicyInput,
  options: { readonly scope: ClauseScope },
): readonly ClauseOutcome[] {
  const variables = bindVariables(input)
  const clauses = options.scope === 'device' ? policy.deviceClauses : policy.clauses
  return clauses.map((clause) => evaluateClause(clause, variables))
}

function evaluateClause(clause: CompiledClause, variables: Variables): ClauseOutcome {
  const applies = clause.when === undefined || clause.when.evaluate(variables)
  if (applies === false) return outcomeOf(clause, 'not_applicable')
  if (applies !== true) return undecidable(clause, applies)
  const holds = clause.require.evaluate(variables)
  if (typeof holds === 'string') return undecidable(clause, holds)
  return outcomeOf(clause, holds ? 'pass' : 'fail')
}

function undecidable(clause: CompiledClause, cause: string): ClauseOutcome {
  return { ...outcomeOf(clause, 'undecidable'), cause: cause.slice(0, MAX_CAUSE_CHARS) }
}

function outcomeOf(clause: CompiledClause, status: ClauseStatus): ClauseOutcome {
  const { id, scope, severity, graceMs } = clause
  const outcome = { clause: id, scope, severity, status }
  return graceMs === undefined ? outcome : { ...outcome, graceMs }
}
