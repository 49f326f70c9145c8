/** ISO 8601 to the minute. */
export function moment(time: string): string {
  return `${new Date(time).toISOString().slice(0, 16)}Z`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** The two largest units: `1d2h`, `4h`, `30m`, `0s`. */
export function span(ms: number): string {
  let left = Math.round(ms / 1000) * 1000
  const parts = UNITS.map(([unit, size]) => {
    const many = Math.floor(left / size)
    left -= many * size
    return many > 0 ? `${many}${unit}` : ''
  })
  const first = parts.findIndex((part) => part !== '')
  return first < 0 ? '0s' : parts.slice(first, first + 2).join('')
}
