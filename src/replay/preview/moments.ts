import type { Documents } from '../../access/assess.ts'
import { goesByDayAndHour } from '../../policy/document/reads.ts'

/** When a preview looks at a fleet, in milliseconds of the epoch, ascending; the first is now. */
export type Moments = {
  readonly times: readonly number[]
  /** Moments that documents name beyond the most that are looked at: the latest are left out. */
  readonly leftOut: number
  /** A clause goes by the hour or the day, so that it may say something else at any time between. */
  readonly readsHours: boolean
  /** Nothing is looked at after it. */
  readonly end: number
}

/** Moments that documents name, and hours and days after them: the earliest. */
const MOST_NAMED = 64
const MOST_STEPS = 192
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WEEK_DAYS = 7

/**
 * Every moment to come at which the clock alone can change what documents say of a device: those that
 * they name, and where a clause reads the clock a day and a week ahead too. Where one goes by the hour,
 * each hour of a day and each day of a week, from now on, and each hour of a day from each moment that is
 * named; where one goes by the hour of certain days, each hour of a week.
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
  const all = ascending(sides.flatMap(datesOf))
  const named = all.slice(0, MOST_NAMED)
  const clauses = sides.flatMap(enforcedClauses)
  const clocks = clauses.map(({ clock }) => clock)
  const readsHours = clocks.includes('hours')
  const ahead = clocks.some((clock) => clock !== 'none') ? [DAY_MS, WEEK_DAYS * DAY_MS] : []
  const steps = readsHours
    ? [...stepsOf(clauses).map((step) => now + step), ...hoursAfter(named)]
    : ahead.map((step) => now + step)
  const times = ascending([...named, ...ascending(steps).slice(0, MOST_STEPS)])
  return { times: [now, ...times], leftOut: all.length - named.length, readsHours, end }
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

function enforcedClauses({ policy }: Documents) {
  return policy.deviceClauses.filter(({ severity }) => severity === 'enforce')
}

function datesOf(documents: Documents): readonly number[] {
  const clauses = enforcedClauses(documents)
  const { dates } = documents.referenceValues
  const appraisal = clauses.some(({ readsAppraisal }) => readsAppraisal) ? dates.appraisal : []
  return [...clauses.flatMap(({ instants }) => instants), ...appraisal, ...dates.origin]
}
