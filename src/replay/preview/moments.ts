import type { Documents } from '../../access/assess.ts'
import type { CompiledClause } from '../../policy/document/compile.ts'
import { goesByDay, goesByHour } from '../../policy/document/reads.ts'
import { ascending, DAY_MS, datesIn, HOUR_MS, type NamedDate, takeDates } from './dates.ts'

/** When a preview looks at a fleet, in milliseconds of the epoch, ascending; the first is now. */
export type Moments = {
  readonly times: readonly number[]
  /** Dates that documents name and that are not looked at, or not with all that may follow them. */
  readonly leftOut: number
  /** Of these, such that the candidate names: it is not known what it does then. */
  readonly leftOutOfCandidate: number
  /** A clause goes by the hour or the day, so that it may say something else at any time between. */
  readonly readsHours: boolean
  /** How long after a date, or after the end of a relief, it is looked again: for what goes by the hour or the day. */
  readonly after: readonly number[]
  /** Nothing is looked at after it. */
  readonly end: number
}

/** Dates of the clauses of one side, and of its reference values. */
const MOST_DATES = 256
/** Moments after the dates of one side: the hours of eight weeks. */
const MOST_AFTER = 8 * 7 * 24

/**
 * Every moment to come at which the clock alone can change what documents say of a device, in this order
 * until the limits are reached: first steps from now, all of them; then the dates that the clauses of each
 * side name, those of its anchors and pins, those of its other values; then steps after each of these dates.
 * Each side has limits of its own, so that what is in force takes no room from a candidate. A date that
 * is left out, or after which a step is, counts as left out.
 *
 * Steps: where a clause reads the clock a day and a week; where one goes by the hour, each hour of a day, and
 * from now each day of a week; where clauses go by the day, each day of a week; where they go by both, each hour of a
 * week. Where one names no moment for what it makes of the clock, as `now.getMonth() != 0` does, each day of
 * a month and each week of a year, from now and from the dates that it names.
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
  const after = stepsAfter(clauses)
  const of = planSide(candidate, { now, end, after })
  const was = planSide(inForce, { now, end, after })
  const near = stepsFromNow(clauses).map((step) => now + step)
  const times = ascending([...near, ...of.times, ...was.times], { now, end })
  return {
    times: [now, ...times],
    leftOut: new Set([...of.leftOut, ...was.leftOut]).size + Math.max(of.unnamed, was.unnamed),
    leftOutOfCandidate: of.leftOut.length + of.unnamed,
    readsHours: clauses.some(({ clock }) => clock === 'hours'),
    after,
    end,
  }
}

/** What one side names, with what follows: dates that are left out are told by their first moment. */
function planSide(
  documents: Documents,
  span: { readonly now: number; readonly end: number; readonly after: readonly number[] },
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
  const isOpen = new Set(datesOf(clauses.filter(isOpenClause), span).map(([first]) => first))
  const followed = new Set<number>()
  const cut: NamedDate[] = [...ofClauses.leftOut, ...ofValues.leftOut]
  for (const date of named) {
    const steps = [...followDate(date, span.after), ...(isOpen.has(date[0]) ? followFar(date) : [])]
    const more = ascending(steps, span).filter((at) => !followed.has(at))
    if (followed.size + more.length > MOST_AFTER) cut.push(date)
    else for (const at of more) followed.add(at)
  }
  return {
    times: [...named.flat(), ...followed],
    leftOut: [...new Set(cut.map(([first]) => first))],
    unnamed: countLeftOut(clauses),
  }
}

/** From the whole hour on, so that what begins with an hour is seen, and dates near each other share hours. */
function followDate([begin]: NamedDate, after: readonly number[]): readonly number[] {
  if (after.length === 0) return []
  const hour = Math.ceil(begin / HOUR_MS) * HOUR_MS
  return [...(hour > begin ? [hour] : []), ...after.map((step) => hour + step)]
}

function followFar([begin]: NamedDate): readonly number[] {
  return FAR.map((step) => begin + step)
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

function stepsAfter(clauses: readonly CompiledClause[]): readonly number[] {
  const byDay = clauses.some(goesByDay)
  if (clauses.some(goesByHour)) return byDay ? HOURS_OF_WEEK : HOURS
  return byDay ? DAYS : []
}

function stepsFromNow(clauses: readonly CompiledClause[]): readonly number[] {
  const clocks = clauses.map(({ clock }) => clock)
  const isByBoth = clauses.some(goesByDay) && clauses.some(goesByHour)
  const ahead = clocks.some((clock) => clock !== 'none') ? [DAY_MS, 7 * DAY_MS] : []
  const near = isByBoth ? HOURS_OF_WEEK : [...HOURS, ...DAYS]
  const far = clauses.some(isOpenClause) ? FAR : []
  return [...(clocks.includes('hours') ? near : ahead), ...far]
}

/** Whether it may say something else at a moment that it does not name, and not only within a week. */
export function isOpenClause({ clock, namesAllDates }: CompiledClause): boolean {
  return clock !== 'none' && !namesAllDates
}

const HOURS = Array.from({ length: 24 }, (_, hour) => (hour + 1) * HOUR_MS)
const HOURS_OF_WEEK = Array.from({ length: 7 * 24 }, (_, hour) => (hour + 1) * HOUR_MS)
const DAYS = Array.from({ length: 7 }, (_, day) => (day + 1) * DAY_MS)

/** Each day of a month, and each week of a year after it. */
export const FAR = [
  ...Array.from({ length: 31 }, (_, day) => (day + 1) * DAY_MS),
  ...Array.from({ length: 48 }, (_, week) => (31 + (week + 1) * 7) * DAY_MS),
]

function enforcedClauses({ policy }: Documents): readonly CompiledClause[] {
  return policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
}
