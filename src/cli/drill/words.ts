export function count(devices: number): string {
  return devices.toLocaleString('en')
}

/** Neither nothing nor everything is said of what is only nearly that. */
export function percent(devices: number, of: number): string {
  const share = of === 0 ? 0 : devices / of
  const text = (share * 100).toFixed(1)
  if (share > 0 && text === '0.0') return '<0.1 %'
  if (share < 1 && text === '100.0') return '>99.9 %'
  return `${text} %`
}

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
