/** Devices with thousands told apart. */
export function count(devices: number): string {
  return devices.toLocaleString('en')
}

/** The share of so many in `of`; none of nothing. */
export function percent(devices: number, of: number): string {
  return percentOf(of === 0 ? 0 : devices / of)
}

/** Neither nothing nor everything is said of what is only nearly that. */
export function percentOf(share: number): string {
  const text = (share * 100).toFixed(1)
  if (share > 0 && text === '0.0') return '<0.1 %'
  if (share < 1 && text === '100.0') return '>99.9 %'
  return `${text} %`
}
