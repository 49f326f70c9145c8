import { fromUtf8, toUtf8 } from '../../base/encoding.ts'
import { toInt, toTimestamp, toUint } from './arithmetic.ts'
import { isMap, sizeOfMap } from './map.ts'
import { ILL_FORMED, sizeOfText } from './text.ts'
import {
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  secondsOf,
} from './time.ts'
import {
  CelError,
  Duration,
  type Frame,
  isList,
  noOverload,
  type Outcome,
  show,
  spend,
  Timestamp,
  Uint,
  type Value,
} from './value.ts'

const NANOS_OF_SECOND = 1_000_000_000n
const TWO_TO_63 = 2 ** 63
const TWO_TO_64 = 2 ** 64

function invalid(type: string, value: string): CelError {
  return new CelError('cel_conversion_invalid', `${show(value)} is no ${type}`)
}

function outOfRange(type: string): CelError {
  return new CelError('cel_out_of_range', `The number is out of the range of ${type}`)
}

/** Decimal digits and a sign, and nothing else: an empty text is no number. */
const INT_TEXT = /^([+-]?)0*(\d{1,20})$/
const UINT_TEXT = /^0*(\d{1,20})$/
const DOUBLE_TEXT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
/** As langdef writes them in JSON ("JSON Data Conversion"). */
const DOUBLE_NAMES: ReadonlySet<string> = new Set(['NaN', 'Infinity', '+Infinity', '-Infinity'])

export function convertToInt(value: Value, frame: Frame): Outcome {
  if (typeof value === 'bigint') return value
  if (value instanceof Uint) return toInt(value.value)
  if (typeof value === 'number') {
    // Both ends are out (cel-spec, tests/simple/testdata/conversions: double_int_min_range).
    const isInRange = value > -TWO_TO_63 && value < TWO_TO_63
    return isInRange ? BigInt(Math.trunc(value)) : outOfRange('int')
  }
  if (value instanceof Timestamp) return secondsOf(value)
  if (typeof value !== 'string') return noOverload('int', value)
  const over = spend(frame, value.length)
  if (over !== undefined) return over
  const [, sign, digits] = INT_TEXT.exec(value) ?? []
  if (digits === undefined) return invalid('int', value)
  return toInt(sign === '-' ? -BigInt(digits) : BigInt(digits))
}

export function convertToUint(value: Value, frame: Frame): Outcome {
  if (value instanceof Uint) return value
  if (typeof value === 'bigint') return toUint(value)
  if (typeof value === 'number') {
    const isInRange = value >= 0 && value < TWO_TO_64
    return isInRange ? new Uint(BigInt(Math.trunc(value))) : outOfRange('uint')
  }
  if (typeof value !== 'string') return noOverload('uint', value)
  const over = spend(frame, value.length)
  if (over !== undefined) return over
  const [, digits] = UINT_TEXT.exec(value) ?? []
  return digits === undefined ? invalid('uint', value) : toUint(BigInt(digits))
}

export function convertToDouble(value: Value, frame: Frame): Outcome {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint) return Number(value.value)
  if (typeof value !== 'string') return noOverload('double', value)
  const over = spend(frame, value.length)
  if (over !== undefined) return over
  if (DOUBLE_NAMES.has(value)) return Number(value)
  if (!DOUBLE_TEXT.test(value)) return invalid('double', value)
  const number = Number(value)
  return Number.isFinite(number) ? number : outOfRange('double')
}

const NO_UTF_8 = new CelError('cel_conversion_invalid', 'The bytes are no UTF-8')

/** A double is the shortest text that reads back as it (ECMAScript, Number::toString). */
export function convertToString(value: Value, frame: Frame): Outcome {
  switch (typeof value) {
    case 'string':
      return value
    case 'boolean':
    case 'bigint':
    case 'number':
      return String(value)
  }
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (!(value instanceof Uint8Array)) return noOverload('string', value)
  const over = spend(frame, value.length)
  return over ?? fromUtf8(value) ?? NO_UTF_8
}

export function convertToBytes(value: Value, frame: Frame): Outcome {
  if (value instanceof Uint8Array) return value
  if (typeof value !== 'string') return noOverload('bytes', value)
  const over = spend(frame, value.length)
  if (over !== undefined) return over
  return value.isWellFormed() ? toUtf8(value) : ILL_FORMED
}

const TRUE_TEXTS: ReadonlySet<string> = new Set(['1', 't', 'true', 'TRUE', 'True'])
const FALSE_TEXTS: ReadonlySet<string> = new Set(['0', 'f', 'false', 'FALSE', 'False'])

export function convertToBool(value: Value): Outcome {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string') return noOverload('bool', value)
  if (TRUE_TEXTS.has(value)) return true
  return FALSE_TEXTS.has(value) ? false : invalid('bool', value)
}

/** A whole number is seconds since 1970, as `int(timestamp)` gives them. */
export function convertToTimestamp(value: Value): Outcome {
  if (value instanceof Timestamp) return value
  if (typeof value === 'bigint') return toTimestamp(value * NANOS_OF_SECOND)
  if (typeof value !== 'string') return noOverload('timestamp', value)
  return parseTimestamp(value) ?? invalid('timestamp', value)
}

export function convertToDuration(value: Value): Outcome {
  if (value instanceof Duration) return value
  if (typeof value !== 'string') return noOverload('duration', value)
  return parseDuration(value) ?? invalid('duration', value)
}

export function sizeOf(value: Value, frame: Frame): Outcome {
  if (typeof value === 'string') return sizeOfText(value, frame)
  if (value instanceof Uint8Array) return BigInt(value.length)
  if (value !== null && isList(value)) return BigInt(value.length)
  if (!isMap(value)) return noOverload('size', value)
  const size = sizeOfMap(value, frame)
  return typeof size === 'number' ? BigInt(size) : size
}
