import { toDuration, toTimestamp } from './arithmetic.ts'
import {
  CelError,
  Duration,
  noOverload,
  type Outcome,
  show,
  Timestamp,
  type Value,
} from './value.ts'

const NANOS_OF_SECOND = 1_000_000_000n
const NANOS_OF_MS = 1_000_000n

/** RFC 3339 §5.6; protobuf's JSON has upper-case letters and nine digits after the point at most. */
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/

/** Undefined for what is no timestamp, days and hours that do not exist among it (§5.7). */
export function parseTimestamp(text: string): Outcome | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number)
  const [fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match.slice(7)
  const date = new Date(0)
  date.setUTCFullYear(year ?? 0, (month ?? 0) - 1, day)
  date.setUTCHours(hour ?? 0, minute, second)
  const isReal =
    date.getUTCMonth() + 1 === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  if (!isReal || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000
  const ms = date.getTime() - (sign === '-' ? -offsetMs : offsetMs)
  return toTimestamp(BigInt(ms) * NANOS_OF_MS + BigInt(fraction.padEnd(9, '0')))
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: NANOS_OF_MS,
  s: NANOS_OF_SECOND,
  m: 60n * NANOS_OF_SECOND,
  h: 3_600n * NANOS_OF_SECOND,
}
const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/
const DURATION_PART = /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g
const MAX_DURATION_CHARS = 128

/** A sign and numbers with units, as `1h30m` (Go's time.ParseDuration, which CEL's texts follow). */
export function parseDuration(text: string): Outcome | undefined {
  if (text.length > MAX_DURATION_CHARS) return undefined
  if (/^[+-]?0$/.test(text)) return new Duration(0n)
  if (!DURATION.test(text)) return undefined
  let nanos = 0n
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(DURATION_PART)) {
    const size = UNITS[unit] ?? 0n
    nanos += BigInt(whole) * size + (BigInt(fraction) * size) / 10n ** BigInt(fraction.length)
  }
  return toDuration(text.startsWith('-') ? -nanos : nanos)
}

/** As protobuf's JSON has it: no fraction, or three, six or nine digits of it. */
export function formatTimestamp({ nanos }: Timestamp): string {
  const fraction = floorRemainder(nanos, NANOS_OF_SECOND)
  const seconds = (nanos - fraction) / NANOS_OF_SECOND
  const date = new Date(Number(seconds) * 1_000)
  return `${date.toISOString().slice(0, 19)}${formatFraction(fraction)}Z`
}

export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos
  const text = `${size / NANOS_OF_SECOND}${formatFraction(size % NANOS_OF_SECOND)}s`
  return nanos < 0n ? `-${text}` : text
}

function formatFraction(nanos: bigint): string {
  if (nanos === 0n) return ''
  const digits = String(nanos).padStart(9, '0')
  return `.${digits.replace(/(?:000){1,2}$/, '')}`
}

export function secondsOf({ nanos }: Timestamp): bigint {
  return (nanos - floorRemainder(nanos, NANOS_OF_SECOND)) / NANOS_OF_SECOND
}

function floorRemainder(value: bigint, divisor: bigint): bigint {
  const rest = value % divisor
  return rest < 0n ? rest + divisor : rest
}

type Accessor = {
  /** Of a date whose UTC members are those of the zone that is asked for. */
  readonly ofDate: (date: Date) => number
  readonly ofDuration?: (nanos: bigint) => bigint
}

const DAY_MS = 86_400_000

/** langdef, "List of Standard Definitions": months and days of month and year begin with 0. */
export const ACCESSORS: Readonly<Record<string, Accessor>> = {
  getFullYear: { ofDate: (date) => date.getUTCFullYear() },
  getMonth: { ofDate: (date) => date.getUTCMonth() },
  getDate: { ofDate: (date) => date.getUTCDate() },
  getDayOfMonth: { ofDate: (date) => date.getUTCDate() - 1 },
  getDayOfWeek: { ofDate: (date) => date.getUTCDay() },
  getDayOfYear: {
    ofDate: (date) => {
      const first = new Date(date)
      first.setUTCMonth(0, 1)
      return Math.round((date.getTime() - first.getTime()) / DAY_MS)
    },
  },
  getHours: {
    ofDate: (date) => date.getUTCHours(),
    ofDuration: (nanos) => nanos / (3_600n * NANOS_OF_SECOND),
  },
  getMinutes: {
    ofDate: (date) => date.getUTCMinutes(),
    ofDuration: (nanos) => nanos / (60n * NANOS_OF_SECOND),
  },
  getSeconds: {
    ofDate: (date) => date.getUTCSeconds(),
    ofDuration: (nanos) => nanos / NANOS_OF_SECOND,
  },
  getMilliseconds: {
    ofDate: (date) => date.getUTCMilliseconds(),
    // Of the second, not of the whole (cel-spec, tests/simple/testdata/timestamps: get_milliseconds).
    ofDuration: (nanos) => (nanos % NANOS_OF_SECOND) / NANOS_OF_MS,
  },
}

/** `time.getHours()` and the like; without a zone in UTC, whatever the zone of this process is. */
export function readMember(name: string, time: Value, zone?: Value): Outcome {
  const accessor = ACCESSORS[name]
  const args = zone === undefined ? [time] : [time, zone]
  if (accessor === undefined) return noOverload(name, ...args)
  if (time instanceof Duration && zone === undefined && accessor.ofDuration !== undefined) {
    return accessor.ofDuration(time.nanos)
  }
  if (!(time instanceof Timestamp)) return noOverload(name, ...args)
  const ms = Number((time.nanos - floorRemainder(time.nanos, NANOS_OF_MS)) / NANOS_OF_MS)
  if (zone === undefined) return BigInt(accessor.ofDate(new Date(ms)))
  if (typeof zone !== 'string') return noOverload(name, ...args)
  const offset = offsetAt(zone, ms)
  if (offset === undefined) {
    return new CelError('cel_time_zone_unknown', `There is no time zone ${show(zone)}`)
  }
  return BigInt(accessor.ofDate(new Date(ms + offset)))
}

const FIXED_ZONE = /^([+-]?)(\d\d):(\d\d)$/
const OFFSET = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/
const LONG_ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/

/**
 * How far the zone is ahead of UTC at that moment, both in milliseconds (langdef, "Timezones"); `undefined`
 * where there is no such zone.
 */
export function offsetAt(zone: string, ms: number): number | undefined {
  if (zone === 'UTC') return 0
  const fixed = FIXED_ZONE.exec(zone)
  if (fixed !== null) return offsetOf(fixed)
  const format = formatOf(zone)
  if (format === undefined) return undefined
  const part = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')
  const offset = OFFSET.exec(part?.value ?? '')
  return offset === null ? undefined : offsetOf(offset)
}

function offsetOf([, sign, hours, minutes, seconds]: RegExpExecArray): number {
  const size = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60 + Number(seconds ?? 0)
  return (sign === '-' ? -size : size) * 1_000
}

/** A format takes a tenth of a millisecond to make; a caller can name zones, so they are counted. */
const formats = new Map<string, Intl.DateTimeFormat>()
const MAX_FORMATS = 64

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = formats.get(zone)
  if (known !== undefined || !LONG_ZONE.test(zone)) return known
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    if (formats.size < MAX_FORMATS) formats.set(zone, format)
    return format
  } catch {
    return undefined
  }
}
