import {
  type CelEnv,
  type CelFunc,
  type CelInput,
  CelScalar,
  type CelUint,
  celEnv,
  celFunc,
  celMethod,
  celUint,
  isCelError,
  isCelList,
  isCelMap,
  isCelUint,
  objectType,
  parse,
  plan,
} from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { create, type Message } from '@bufbuild/protobuf'
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
  timestampFromDate,
} from '@bufbuild/protobuf/wkt'
import type { Json } from '../../support/json.ts'
import { mapOf } from './plain-value.ts'

/**
 * CEL as the package @bufbuild/cel has it, which nobody here wrote. Where it is not CEL either, its
 * function is exchanged for one that does what the named place says, by other means than ours.
 */
const { INT, UINT, DOUBLE, STRING, BOOL, BYTES } = CelScalar
const TIMESTAMP = objectType(TimestampSchema)
const DURATION = objectType(DurationSchema)

type Wrapped<T> = { readonly message: T }

/** langdef, "Equality and Ordering": texts are ordered by code points, as their UTF-8 bytes are. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function ordering(name: string, holds: (order: number) => boolean): CelFunc {
  return celFunc(name, [STRING, STRING], BOOL, (a: string, b: string) => holds(compare(a, b)))
}

const ORDERING = [
  ordering('_<_', (order) => order < 0),
  ordering('_<=_', (order) => order <= 0),
  ordering('_>_', (order) => order > 0),
  ordering('_>=_', (order) => order >= 0),
]

/** The package lets a quotient of uint be no more than an int. */
const DIVISION = celFunc('_/_', [UINT, UINT], UINT, (a: CelUint, b: CelUint) => {
  return celUint(BigInt.asUintN(64, a.value / b.value))
})

function fail(message: string): never {
  throw new Error(message)
}

/** langdef, "INT_LIT": digits; JavaScript's BigInt takes an empty text and other bases, too. */
function digits(text: string, least: bigint, most: bigint): bigint {
  if (text.replace(/^-/, '').match(/[^0-9+]/) || Number.isNaN(Number.parseInt(text, 10))) {
    fail('no whole number')
  }
  const value = BigInt(text)
  return value < least || value > most ? fail('out of range') : value
}

/** langdef, "FLOAT_LIT" and "Overflow": an unreadable text is no NaN, one too big no infinity. */
function double(text: string): number {
  if (['NaN', 'Infinity', '-Infinity'].includes(text)) return Number(text)
  const isDecimal = text.trim() === text && text !== '' && !/^[+-]?0[xbo]/i.test(text)
  const value = Number(text)
  return isDecimal && Number.isFinite(value) ? value : fail('no double')
}

/** RFC 3339 §5.7: V8's Date takes the 30th of February for the 2nd of March. */
function timestampOf(text: string): Timestamp {
  const [, date = '', hour = '', fraction = '', zone = ''] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? []
  const local = new Date(`${date}T${hour}Z`)
  const isReal = !Number.isNaN(local.getTime()) && local.toISOString().startsWith(`${date}T${hour}`)
  const ms = Date.parse(`${date}T${hour}${zone}`)
  if (!isReal || Number.isNaN(ms)) fail('no timestamp')
  return timestamp(BigInt(ms) / 1000n, Number(fraction.padEnd(9, '0')))
}

function timestamp(seconds: bigint, nanos: number): Timestamp {
  const isInRange = seconds >= -62_135_596_800n && seconds <= 253_402_300_799n
  return isInRange ? create(TimestampSchema, { seconds, nanos }) : fail('out of range')
}

const CONVERSIONS = [
  celFunc('int', [STRING], INT, (text: string) => digits(text, -(2n ** 63n), 2n ** 63n - 1n)),
  celFunc('uint', [STRING], UINT, (text: string) => {
    if (/^[+-]/.test(text)) fail('a uint has no sign')
    return celUint(digits(text, 0n, 2n ** 64n - 1n))
  }),
  celFunc('double', [STRING], DOUBLE, double),
  // Node's TextDecoder leaves out a byte order mark, which is a code point as any other.
  celFunc('string', [BYTES], STRING, (bytes: Uint8Array) => {
    const text = Buffer.from(bytes).toString('utf8')
    return Buffer.from(text).equals(bytes) ? text : fail('no UTF-8')
  }),
  celFunc('timestamp', [STRING], TIMESTAMP, timestampOf),
  // langdef, "List of Standard Definitions": seconds, as int(timestamp) gives them.
  celFunc('timestamp', [INT], TIMESTAMP, (seconds: bigint) => timestamp(seconds, 0)),
  // Conversions that langdef does not have.
  celFunc('duration', [INT], DURATION, () => fail('no such overload')),
  celFunc('int', [DURATION], INT, () => fail('no such overload')),
]

/**
 * The calendar by ICU alone. The package's own goes through local dates of this process, which skip
 * an hour in spring, and takes the years before 100 for those of the last century.
 */
function fieldsOf(this: Wrapped<Timestamp>, zone: string): Record<string, number> {
  const { seconds, nanos } = this.message
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone)
  const minutes = fixed ? Number(fixed[2]) * 60 + Number(fixed[3]) : 0
  const ms = Number(seconds) * 1000 + (fixed?.[1] === '-' ? -minutes : minutes) * 60_000
  const format = formatOf(fixed ? 'UTC' : zone)
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]))
  const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year)
  const [month, day] = [Number(parts.month), Number(parts.day)]
  const first = new Date(0).setUTCFullYear(year, 0, 1)
  const today = new Date(0).setUTCFullYear(year, month - 1, day)
  return {
    getFullYear: year,
    getMonth: month - 1,
    getDate: day,
    getDayOfMonth: day - 1,
    getDayOfWeek: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(parts.weekday ?? ''),
    getDayOfYear: (today - first) / 86_400_000,
    getHours: Number(parts.hour),
    getMinutes: Number(parts.minute),
    getSeconds: Number(parts.second),
    getMilliseconds: Math.floor(nanos / 1_000_000),
  }
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', weekday: 'short' } as const
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const
  const format = new Intl.DateTimeFormat('en-US', { timeZone, era: 'short', ...numeric, ...time })
  formats.set(timeZone, format)
  return format
}

const ACCESSORS = [
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getDayOfYear',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
].flatMap((name) => {
  function read(this: Wrapped<Timestamp>, zone = 'UTC') {
    return BigInt(fieldsOf.call(this as never, zone)[name] ?? fail(name))
  }
  return [
    celMethod(name, TIMESTAMP, [], INT, read as never),
    celMethod(name, TIMESTAMP, [STRING], INT, read as never),
  ]
})

const environment: CelEnv = celEnv({
  funcs: [...strings, ...ORDERING, DIVISION, ...CONVERSIONS, ...ACCESSORS] as CelFunc[],
})

/** What it comes to, in the form of `plainOf`; every error is alike. */
export function evaluateElsewhere(source: string, values: Readonly<Record<string, unknown>>): Json {
  const bindings = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, inputOf(value)]),
  )
  const outcome = plan(environment, parse(source))(bindings)
  return isCelError(outcome) ? { error: true } : plainOf(outcome)
}

function inputOf(value: unknown): CelInput {
  if (value instanceof Date) return timestampFromDate(value)
  if (Array.isArray(value)) return value.map(inputOf)
  if (typeof value !== 'object' || value === null) return value as CelInput
  return new Map(Object.entries(value).map(([key, member]) => [key, inputOf(member)]))
}

function plainOf(value: unknown): Json {
  switch (typeof value) {
    case 'boolean':
      return { boolValue: value }
    case 'bigint':
      return { int64Value: String(value) }
    case 'number':
      return { doubleValue: value }
    case 'string':
      return { stringValue: value }
  }
  if (value === null) return { nullValue: null }
  if (isCelUint(value)) return { uint64Value: String(value.value) }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') }
  if (isCelList(value)) return { listValue: { values: Array.from(value, plainOf) } }
  if (isCelMap(value)) {
    return mapOf(Array.from(value, ([key, of]) => ({ key: plainOf(key), value: plainOf(of) })))
  }
  const { message } = value as Wrapped<(Timestamp | Duration) & Message>
  const nanos = String(message.seconds * 1_000_000_000n + BigInt(message.nanos))
  return message.$typeName === TimestampSchema.typeName ? { timestamp: nanos } : { duration: nanos }
}
