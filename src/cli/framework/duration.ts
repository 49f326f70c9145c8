import { UsageError } from './arguments.ts'

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds of `90s`, `30m`, `1h` or `2d`. */
export function readDuration(text: string, option: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = MS_OF_UNIT[unit]
  if (ms === undefined) throw new UsageError(`--${option} must be like 90s, 30m, 1h or 2d`)
  return Number(count) * ms
}
