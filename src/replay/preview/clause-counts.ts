import type { CompiledPolicy } from '../../policy/document/compile.ts'
import { isBlocking } from '../../policy/language/evaluate.ts'
import { mostFrequent } from './clause-changes.ts'
import type { JudgedBoth } from './judge.ts'
import { addToSpan, emptySpan, spanOf } from './later-denials.ts'
import type { Ahead } from './look-ahead.ts'
import type { ClauseCounts } from './summary.ts'
import { createTally } from './tally.ts'

const CAUSES_COUNTED = 64

/** What was found of one device. */
export type Found = {
  readonly first: JudgedBoth
  readonly ahead: Ahead
  /** The ends of the graces of clauses that are in its way. */
  readonly graces: ReadonlyMap<string, Date>
}

/** Counts what each device clause of a policy says and does, in the order of its document. */
export function createClauseCounts(
  policy: CompiledPolicy,
  wasReached: (index: number) => boolean,
): {
  readonly add: (found: Found) => void
  readonly summary: () => readonly ClauseCounts[]
} {
  const counters = policy.deviceClauses.map(({ id, severity, enforceFrom }) => ({
    told: { clause: id, severity, enforce_from: enforceFrom?.toISOString() ?? null },
    counts: { pass: 0, fail: 0, undecidable: 0, not_applicable: 0 },
    causes: createTally(1, CAUSES_COUNTED),
    denied: 0,
    grace: emptySpan(),
    later: emptySpan(),
  }))
  const byId = new Map(counters.map((counter) => [counter.told.clause, counter]))
  return {
    add({ first: { outcomes, after }, ahead, graces }) {
      const isDenied = after.verdict.verdict !== 'trusted'
      for (let index = 0; index < outcomes.length; index++) {
        const outcome = outcomes[index]
        const counter = counters[index]
        if (outcome === undefined || counter === undefined) continue
        counter.counts[outcome.status] += 1
        if (outcome.cause !== undefined) counter.causes.add(outcome.cause, FIRST)
        if (!isBlocking(outcome)) continue
        const end = graces.get(outcome.clause)
        if (end !== undefined) addToSpan(counter.grace, end.getTime())
        else if (isDenied) counter.denied += 1
      }
      const { denied } = ahead
      for (const reason of denied?.reasons ?? []) {
        const counter = 'clause' in reason ? byId.get(reason.clause) : undefined
        if (counter !== undefined && denied !== undefined) addToSpan(counter.later, denied.at)
      }
    },
    summary: () =>
      counters.map(({ told, counts, causes, denied, grace, later }, index) => ({
        ...told,
        ...counts,
        cause: mostFrequent(causes),
        denied,
        in_grace: spanOf(grace),
        denied_later: spanOf(later),
        reached: wasReached(index),
      })),
  }
}

const FIRST = [0]
