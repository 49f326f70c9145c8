import type { Documents } from '../../access/assess.ts'
import type { CompiledClause } from '../../policy/document/compile.ts'
import { ascending, DAY_MS, datesIn, takeDates } from '../preview/dates.ts'
import { countLeftOut, isOpenClause, listFar } from '../preview/moments.ts'

/** When questions are answered again. */
export type QuestionTimes = {
  /** Ascending, the first of them now or, where clauses go by the hour, within a week from now. */
  readonly of: (askedAt: Date) => readonly Date[]
  /** How many at most. */
  readonly count: number
  /** Whether clauses about requests go by the hour or the day. */
  readonly weekly: boolean
  /** Dates that clauses of the candidate name and that are not among them. */
  readonly leftOut: number
}

/** Dates that the clauses of one side name: each is a round of answers. */
const MOST_DATES = 64
const WEEK_MS = 7 * DAY_MS

/**
 * Now, at each date to come that an enforced clause about requests names, and where one names none for what it
 * makes of the clock, each day of a year. Where one goes by the hour or the day, a
 * question is asked again on the same day of the week and at the same time, as soon after each of these as that
 * comes: a preview at noon says of the questions of the night what the night would.
 */
export function planQuestionTimes(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
  readonly horizonMs?: number | undefined
}): QuestionTimes {
  const now = input.now.getTime()
  const span = { now, end: now + (input.horizonMs ?? Infinity) }
  const sides = [input.candidate, input.inForce].map(requestClauses)
  const [of, was] = sides.map((clauses) => {
    const instants = ascending(
      clauses.flatMap((clause) => clause.instants),
      span,
    )
    return takeDates([datesIn(instants)], MOST_DATES)
  })
  const clauses = sides.flat()
  const open = clauses.filter(isOpenClause)
  const far = open.length > 0 ? listFar(open, now) : []
  const named = [...(of?.taken ?? []), ...(was?.taken ?? [])].flat()
  const begins = [now, ...ascending([...named, ...far], span)]
  const weekly = clauses.some(({ clock }) => clock === 'hours')
  const fixed = begins.map((at) => new Date(at))
  return {
    count: begins.length,
    weekly,
    leftOut: (of?.leftOut.length ?? 0) + countLeftOut(sides[0] ?? []),
    of(askedAt) {
      if (!weekly) return fixed
      const times = begins.map((begin) => nextWeekly(askedAt.getTime(), begin))
      return [...new Set(times)].map((at) => new Date(at))
    },
  }
}

function requestClauses({ policy }: Documents): readonly CompiledClause[] {
  return policy.clauses.filter(({ scope, severity }) => {
    return scope === 'request' && severity === 'enforce'
  })
}

/** The first time from `begin` on that is whole weeks from `at`. */
function nextWeekly(at: number, begin: number): number {
  return at + Math.ceil((begin - at) / WEEK_MS) * WEEK_MS
}
