import type { Documents } from '../../access/assess.ts'
import { goesByDayAndHour } from '../../policy/document/reads.ts'

/** When a preview looks at a fleet, in milliseconds of the epoch, ascending; the first is now. */
export type Moments = {
  readonly times: readonly number[]
  /** Moments that documents name beyond the most that are looked at: the latest are left out. */
  readonly leftOut: number
  /** Of these, such that clauses of the candidate name. */
  readonly leftOutOfClauses: number
  /** A clause goes by the hour or the day, so that it may say something else at any time between. */
  readonly readsHours: boolean
  /** Nothing is looked at after it. */
  readonly end: number
}

/** Moments that clauses name, that reference values name, and hours and days after them: the earliest. */
const MOST_OF_CLAUSES = 512
const MOST_OF_VALUES = 64
const MOST_STEPS = 320
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WEEK_DAYS = 7

/**
 * Every moment to come at which the clock alone can change what documents say of a device: those that
 * they name, and where a clause reads the clock a day and a week ahead too. Where one goes by the hour,
 * each hour of a day and each day of a week, from now on, and each hour of a day from each moment that is
 * named; where one goes by the hour of certain days, each hour of a week. Where one names no moment for what
 * it makes of the clock, as `now.getMonth() != 0` does, each day of a month and each week of a year.
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
  const sides = [inForce, candidate]
  const ascending = (times: readonly number[]) => {
    return [...new Set(times)].filter((at) => at > now && at <= end).sort((a, b) => a - b)
  }
  const ofClauses = ascending(sides.flatMap(instantsOf))
  const ofValues = ascending(sides.flatMap(validitiesOf))
  const named = ascending([
    ...ofClauses.slice(0, MOST_OF_CLAUSES),
    ...ofValues.slice(0, MOST_OF_VALUES),
  ])
  const all = new Set([...ofClauses, ...ofValues])
  const ofCandidate = ascending(instantsOf(candidate))
  const clauses = sides.flatMap(enforcedClauses)
  const clocks = clauses.map(({ clock }) => clock)
  const readsHours = clocks.includes('hours')
  const ahead = clocks.some((clock) => clock !== 'none') ? [DAY_MS, WEEK_DAYS * DAY_MS] : []
  const steps = readsHours
    ? [...stepsOf(clauses).map((step) => now + step), ...hoursAfter(named)]
    : ahead.map((step) => now + step)
  const isOpen = clauses.some((clause) => clause.clock !== 'none' && !clause.namesAllDates)
  const far = isOpen ? FAR.map((step) => now + step) : []
  const times = ascending([...named, ...ascending([...steps, ...far]).slice(0, MOST_STEPS)])
  return {
    times: [now, ...times],
    leftOut: all.size - named.length,
    leftOutOfClauses: ofCandidate.filter((at) => !named.includes(at)).length,
    readsHours,
    end,
  }
}

/** Each hour of the day that begins with a moment; what comes a millisecond later is the same moment. */
function hoursAfter(named: readonly number[]): readonly number[] {
  const begins = named.filter((at) => !named.includes(at - 1))
  return begins.flatMap((begin) => HOURS.map((step) => begin + step))
}

function stepsOf(clauses: ReturnType<typeof enforcedClauses>): readonly number[] {
  const isByDayAndHour = clauses.some(
    (clause) => clause.clock === 'hours' && goesByDayAndHour(clause),
  )
  return isByDayAndHour ? HOURS_OF_WEEK : HOURS_AND_DAYS
}

const HOURS = Array.from({ length: 24 }, (_, hour) => (hour + 1) * HOUR_MS)

const HOURS_OF_WEEK = Array.from({ length: WEEK_DAYS * 24 }, (_, hour) => (hour + 1) * HOUR_MS)

const HOURS_AND_DAYS = [
  ...HOURS,
  ...Array.from({ length: WEEK_DAYS - 1 }, (_, day) => (day + 2) * DAY_MS),
]

/** Each day of a month, and each week of a year after it. */
const FAR = [
  ...Array.from({ length: 31 }, (_, day) => (day + 1) * DAY_MS),
  ...Array.from({ length: 48 }, (_, week) => (31 + (week + 1) * WEEK_DAYS) * DAY_MS),
]

function enforcedClauses({ policy }: Documents) {
  return policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
}

function instantsOf(documents: Documents): readonly number[] {
  return enforcedClauses(documents).flatMap(({ instants }) => instants)
}

function validitiesOf(documents: Documents): readonly number[] {
  const { dates } = documents.referenceValues
  const readsAppraisal = enforcedClauses(documents).some((clause) => clause.readsAppraisal)
  return [...(readsAppraisal ? dates.appraisal : []), ...dates.origin]
}
