import type { CompiledClause } from '../../policy/document/compile.ts'
import { goesByDay, goesByHour } from '../../policy/document/reads.ts'
import { offsetAt } from '../../policy/language/time.ts'
import { DAY_MS, HOUR_MS } from './dates.ts'

/** Moments at which the hour or the day that clauses go by begins, in milliseconds of the epoch. */
export type Steps = {
  /** For how long after something has begun they are looked at; 0 where no clause goes by them. */
  readonly spanMs: number
  /** The next of them behind a time. */
  readonly next: (at: number) => number
}

/** Offsets of time zones are multiples of it, so that no hour begins at another time. */
const QUARTER_MS = 900_000

/**
 * Where a clause goes by the hour, the beginnings of hours: of a day, or of a week where one goes by the day
 * or the date, too. Else the beginnings of days, of a week. Hours and days are those of every time zone that a
 * clause names: between two of them nothing changes that goes by these, even where windows are cut short
 * by the half hour of another zone. A computed zone may be any, so that each quarter of an hour is a step.
 */
export function createSteps(clauses: readonly CompiledClause[]): Steps {
  const byHour = clauses.some(goesByHour)
  const byDay = clauses.some(goesByDay)
  if (!byHour && !byDay) return { spanMs: 0, next: () => Infinity }
  return {
    spanMs: byDay ? 7 * DAY_MS : DAY_MS,
    next: beginnings(byHour ? HOUR_MS : DAY_MS, clauses),
  }
}

/** The beginnings of the days of the zones that clauses name, UTC among them. */
export function createDays(clauses: readonly CompiledClause[]): Steps['next'] {
  return beginnings(DAY_MS, clauses)
}

/** All of them behind a time, so long after it. */
export function listSteps(
  next: Steps['next'],
  { begin, spanMs }: { readonly begin: number; readonly spanMs: number },
): readonly number[] {
  const steps: number[] = []
  for (let at = next(begin); at <= begin + spanMs; at = next(at)) steps.push(at)
  return steps
}

function beginnings(unitMs: number, clauses: readonly CompiledClause[]): Steps['next'] {
  const isComputed = clauses.some(({ zones }) => zones === undefined)
  const names = new Set(['UTC', ...clauses.flatMap(({ zones = [] }) => zones)])
  const offsets = [...names].map(offsetsOf)
  const unitAt = (offsetOf: (at: number) => number, at: number) =>
    Math.floor((at + offsetOf(at)) / unitMs)
  const isBeginning = (at: number) =>
    isComputed ||
    offsets.some((offsetOf) => unitAt(offsetOf, at) !== unitAt(offsetOf, at - QUARTER_MS))
  const known = new Map<number, number>()
  return (at) => {
    const first = Math.floor(at / QUARTER_MS) + 1
    let quarter = known.get(first) ?? first
    while (!isBeginning(quarter * QUARTER_MS)) quarter += 1
    known.set(first, quarter)
    return quarter * QUARTER_MS
  }
}

/** Of each day is remembered how far the zone is ahead of UTC, but of one on which that changes. */
function offsetsOf(zone: string): (at: number) => number {
  const days = new Map<number, number | undefined>()
  const find = (at: number) => offsetAt(zone, at) ?? 0
  return (at) => {
    const day = Math.floor(at / DAY_MS)
    if (!days.has(day)) {
      const offset = find(day * DAY_MS)
      days.set(day, offset === find((day + 1) * DAY_MS) ? offset : undefined)
    }
    return days.get(day) ?? find(at)
  }
}
