import type { Decided } from '../access/decide.ts'
import { explainClauses } from '../access/explain-clauses.ts'

/** A decision on a question that nobody asked, with every clause's value, as it stands on the wire. */
export function showExplanation(decided: Decided) {
  const { decision, context } = decided.decision
  const { assessment } = decided
  return {
    decision,
    context,
    at: decided.case.now.toISOString(),
    origin: assessment?.origin ?? null,
    status: assessment?.result?.status ?? null,
    clauses: explainClauses(decided),
  }
}
