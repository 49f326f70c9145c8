import type { Documents } from '../../access/assess.ts'
import type { CompiledClause } from '../../policy/document/compile.ts'
import { goesByHour } from '../../policy/document/reads.ts'
import { ascending, DAY_MS, datesIn, HOUR_MS, type NamedDate, takeDates } from './dates.ts'
import { createDays, createSteps, listSteps, type Steps } from './steps.ts'

/** When a preview looks at a fleet, in milliseconds of the epoch, ascending; the first is now. */
export type Moments = {
  readonly times: readonly number[]
  /** Dates that documents name and that are not looked at, or not with all that may follow them. */
  readonly leftOut: number
  /** Of these, such that the candidate names: it is not known what it does then. */
  readonly leftOutOfCandidate: number
  /** A clause goes by the hour or the day, so that it may say something else at any time between. */
  readonly readsHours: boolean
  /** A clause names no dates for what it makes of the clock: each day of a year is looked at, and no further. */
  readonly isYearAhead: boolean
  /** When it is looked again after a date, or after the end of a relief: for what goes by the hour or the day. */
  readonly steps: Steps
  /** Nothing is looked at after it. */
  readonly end: number
}

/** Dates of the clauses of one side, and of its reference values. */
const MOST_DATES = 256
/** Moments after the dates of one side: the hours of eight weeks. */
const MOST_AFTER = 8 * 7 * 24
/** How far it is looked where clauses name no dates for what they make of the clock. */
const FAR_MS = 366 * DAY_MS

/**
 * Every moment to come at which the clock alone can change what documents say of a device, in this order
 * until the limits are reached: first steps from now, all of them; then the dates that the clauses of each
 * side name, those of its anchors and pins, those of its other values; then steps after each of these dates.
 * Each side has limits of its own, so that what is in force takes no room from a candidate. A date that
 * is left out, or after which a step is, counts as left out.
 *
 * Steps: where a clause reads the clock a day and a week; where one goes by the hour or the day, what
 * `createSteps` has. Where one names no moment for what it makes of the clock, as `now.getMonth() != 0` does, each day
 * of a year (`listFar`), from now and from the dates that it names.
 *
 * The ends of graces and of other reliefs are not among them: each device has its own.
 */
export function planMoments(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
  /** How far ahead; without it as far as the documents go. */
  readonly horizonMs?: number | undefined
}): Moments {
  const { inForce, candidate, horizonMs = Infinity } = input
  const now = input.now.getTime()
  const end = now + horizonMs
  const clauses = [candidate, inForce].flatMap(enforcedClauses)
  const steps = createSteps(clauses)
  const near = stepsFromNow(clauses, steps, now)
  const span = { now, end, steps, near: new Set(near) }
  const of = planSide(candidate, span)
  const was = planSide(inForce, span)
  const times = ascending([...near, ...of.times, ...was.times], { now, end })
  return {
    times: [now, ...times],
    leftOut: new Set([...of.leftOut, ...was.leftOut]).size + Math.max(of.unnamed, was.unnamed),
    leftOutOfCandidate: of.leftOut.length + of.unnamed,
    readsHours: clauses.some(({ clock }) => clock === 'hours'),
    isYearAhead: clauses.some(isOpenClause),
    steps,
    end,
  }
}

/** What one side names, with what follows: dates that are left out are told by their first moment. */
function planSide(
  documents: Documents,
  span: {
    readonly now: number
    readonly end: number
    readonly steps: Steps
    /** What is looked at anyway. */
    readonly near: ReadonlySet<number>
  },
): {
  readonly times: readonly number[]
  readonly leftOut: readonly number[]
  /** How many were left out of expressions that name too many. */
  readonly unnamed: number
} {
  const clauses = enforcedClauses(documents)
  const ofClauses = takeDates([datesOf(clauses, span)], MOST_DATES)
  const { origin, appraisal } = documents.referenceValues.dates
  const readsAppraisal = clauses.some((clause) => clause.readsAppraisal)
  const values = [origin, readsAppraisal ? appraisal : []]
  const ofValues = takeDates(
    values.map((dates) => datesIn(ascending(dates, span))),
    MOST_DATES,
  )
  const named = [...ofClauses.taken, ...ofValues.taken]
  const open = clauses.filter(isOpenClause)
  const isOpen = new Set(datesOf(open, span).map(([first]) => first))
  const followed = new Set<number>()
  const cut: NamedDate[] = [...ofClauses.leftOut, ...ofValues.leftOut]
  for (const date of named) {
    const [begin] = date
    const { next, spanMs } = span.steps
    const far = isOpen.has(begin) ? listFar(open, begin) : []
    const all = ascending([...listSteps(next, { begin, spanMs }), ...far], span)
    const more = all.filter((at) => !followed.has(at) && !span.near.has(at))
    if (followed.size + more.length > MOST_AFTER) cut.push(date)
    else for (const at of more) followed.add(at)
  }
  return {
    times: [...named.flat(), ...followed],
    leftOut: [...new Set(cut.map(([first]) => first))],
    unnamed: countLeftOut(clauses),
  }
}

function datesOf(
  clauses: readonly CompiledClause[],
  span: { readonly now: number; readonly end: number },
): readonly NamedDate[] {
  const instants = clauses.flatMap((clause) => clause.instants)
  return datesIn(ascending(instants, span))
}

/** Dates that are left out of clauses, as an expression of theirs names too many. */
export function countLeftOut(clauses: readonly CompiledClause[]): number {
  return clauses.reduce((sum, { datesLeftOut }) => sum + datesLeftOut, 0)
}

function stepsFromNow(
  clauses: readonly CompiledClause[],
  { next, spanMs }: Steps,
  now: number,
): readonly number[] {
  const readsClock = clauses.some(({ clock }) => clock !== 'none')
  const ahead = readsClock ? [now + DAY_MS, now + 7 * DAY_MS] : []
  const open = clauses.filter(isOpenClause)
  const far = open.length > 0 ? listFar(open, now) : []
  return [...ahead, ...listSteps(next, { begin: now, spanMs }), ...far]
}

/** Whether it may say something else at a moment that it does not name, and not only within a week. */
export function isOpenClause({ clock, namesAllDates }: CompiledClause): boolean {
  return clock !== 'none' && !namesAllDates
}

/**
 * The days of a year for clauses that may say something else at a moment that they do not name. Where one
 * goes by the hour besides, each 25th hour too: so each hour of each weekday is among them.
 */
export function listFar(open: readonly CompiledClause[], begin: number): readonly number[] {
  const days = listSteps(createDays(open), { begin, spanMs: FAR_MS })
  if (!open.some(goesByHour)) return days
  const hours = Array.from({ length: FAR_MS / (25 * HOUR_MS) }, (_, at) => (at + 1) * 25 * HOUR_MS)
  return ascending([...days, ...hours.map((step) => begin + step)], { now: begin, end: Infinity })
}

function enforcedClauses({ policy }: Documents): readonly CompiledClause[] {
  return policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
}
