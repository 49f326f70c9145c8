export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** A moment that documents name, in milliseconds of the epoch, with the one after it where that is named too. */
export type NamedDate = readonly [number] | readonly [number, number]

/** What is to come of `times`, each once. */
export function ascending(
  times: readonly number[],
  { now, end }: { readonly now: number; readonly end: number },
): readonly number[] {
  return [...new Set(times)].filter((at) => at > now && at <= end).sort((a, b) => a - b)
}

/** A clause names a timestamp and the millisecond after it, as `now > t` holds from then on: both are one date. */
export function datesIn(times: readonly number[]): readonly NamedDate[] {
  const dates: NamedDate[] = []
  for (const at of times) {
    const last = dates.at(-1)
    if (last?.length === 1 && last[0] === at - 1) dates[dates.length - 1] = [last[0], at]
    else dates.push([at])
  }
  return dates
}

/** Takes the dates of one list after those of the other, each once, up to so many in all. */
export function takeDates(
  lists: readonly (readonly NamedDate[])[],
  most: number,
): { readonly taken: readonly NamedDate[]; readonly leftOut: readonly NamedDate[] } {
  const dates = [...new Map(lists.flat().map((date) => [date.join(), date])).values()]
  return { taken: dates.slice(0, most), leftOut: dates.slice(most) }
}
