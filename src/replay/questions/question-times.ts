import type { Documents } from '../../access/assess.ts'

/** When questions are answered again. */
export type QuestionTimes = {
  /** Ascending, the first of them now or, where clauses go by the hour, within a week from now. */
  readonly of: (askedAt: Date) => readonly Date[]
  /** Whether clauses about requests go by the hour or the day. */
  readonly weekly: boolean
}

/** Moments that clauses name: the earliest. */
const MOST_NAMED = 8
const WEEK_MS = 7 * 86_400_000

/**
 * Now, and at each moment to come that an enforced clause about requests names. Where one goes by the hour
 * or the day, a question is asked again on the same day of the week and at the same time, as soon after each
 * of these as that comes: a preview at noon says of the questions of the night what the night would.
 */
export function planQuestionTimes(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
}): QuestionTimes {
  const { inForce, candidate } = input
  const now = input.now.getTime()
  const clauses = [inForce, candidate].flatMap(({ policy }) =>
    policy.clauses.filter(({ scope, severity }) => scope === 'request' && severity === 'enforce'),
  )
  const named = clauses.flatMap(({ instants }) => instants).filter((at) => at > now)
  const begins = [now, ...[...new Set(named)].sort((a, b) => a - b).slice(0, MOST_NAMED)]
  const weekly = clauses.some(({ clock }) => clock === 'hours')
  const fixed = begins.map((at) => new Date(at))
  return {
    weekly,
    of(askedAt) {
      if (!weekly) return fixed
      const times = begins.map((begin) => nextWeekly(askedAt.getTime(), begin))
      return [...new Set(times)].map((at) => new Date(at))
    },
  }
}

/** The first time from `begin` on that is whole weeks from `at`. */
function nextWeekly(at: number, begin: number): number {
  return at + Math.ceil((begin - at) / WEEK_MS) * WEEK_MS
}
