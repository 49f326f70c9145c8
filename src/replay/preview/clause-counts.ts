import type { CompiledPolicy } from '../../policy/document/compile.ts'
import type { ClauseOutcome } from '../../policy/language/evaluate.ts'
import { mostFrequent } from './clause-changes.ts'
import type { ClauseCounts } from './summary.ts'
import { createTally } from './tally.ts'

const CAUSES_COUNTED = 64

/** Counts what each device clause of a policy says, in the order of its document. */
export function createClauseCounts(policy: CompiledPolicy): {
  readonly add: (outcomes: readonly ClauseOutcome[]) => void
  readonly summary: () => readonly ClauseCounts[]
} {
  const counters = policy.deviceClauses.map(({ id, severity }) => ({
    clause: id,
    severity,
    counts: { pass: 0, fail: 0, undecidable: 0, not_applicable: 0 },
    causes: createTally(1, CAUSES_COUNTED),
  }))
  return {
    add(outcomes) {
      for (let index = 0; index < outcomes.length; index++) {
        const outcome = outcomes[index]
        const counter = counters[index]
        if (outcome === undefined || counter === undefined) continue
        counter.counts[outcome.status] += 1
        if (outcome.cause !== undefined) counter.causes.add(outcome.cause, [0])
      }
    },
    summary: () =>
      counters.map(({ clause, severity, counts, causes }) => ({
        clause,
        severity,
        ...counts,
        cause: mostFrequent(causes),
      })),
  }
}
