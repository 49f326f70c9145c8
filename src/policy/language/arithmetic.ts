import { concatTexts } from './text.ts'
import {
  CelError,
  Duration,
  type Frame,
  isList,
  noOverload,
  type Outcome,
  spend,
  Timestamp,
  Uint,
  type Value,
} from './value.ts'

/** langdef, "Overflow": an error where the result exceeds the range of its type. */
const OUT_OF_RANGE = new CelError('cel_out_of_range', 'The result is out of range')
const DIVISION_BY_ZERO = new CelError('cel_division_by_zero', 'Division by zero')

/** The seconds of 0001-01-01T00:00:00Z and of 10000-01-01T00:00:00Z (timestamp.proto). */
const FIRST_SECOND = -62_135_596_800n
const END_SECOND = 253_402_300_800n
const NANOS = 1_000_000_000n

export function toInt(value: bigint): Outcome {
  return BigInt.asIntN(64, value) === value ? value : OUT_OF_RANGE
}

export function toUint(value: bigint): Outcome {
  return BigInt.asUintN(64, value) === value ? new Uint(value) : OUT_OF_RANGE
}

export function toTimestamp(nanos: bigint): Outcome {
  const isInRange = nanos >= FIRST_SECOND * NANOS && nanos < END_SECOND * NANOS
  return isInRange ? new Timestamp(nanos) : OUT_OF_RANGE
}

export function toDuration(nanos: bigint): Outcome {
  return BigInt.asIntN(64, nanos) === nanos ? new Duration(nanos) : OUT_OF_RANGE
}

export function add(a: Value, b: Value, frame: Frame): Outcome {
  if (typeof a === 'bigint' && typeof b === 'bigint') return toInt(a + b)
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (typeof a === 'string' && typeof b === 'string') return concatTexts(a, b, frame)
  if (a instanceof Uint && b instanceof Uint) return toUint(a.value + b.value)
  if (a instanceof Duration && b instanceof Duration) return toDuration(a.nanos + b.nanos)
  if (a instanceof Timestamp && b instanceof Duration) return toTimestamp(a.nanos + b.nanos)
  if (a instanceof Duration && b instanceof Timestamp) return toTimestamp(a.nanos + b.nanos)
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return spend(frame, a.length + b.length) ?? concatBytes(a, b)
  }
  if (a !== null && b !== null && isList(a) && isList(b)) {
    return spend(frame, a.length + b.length) ?? a.concat(b)
  }
  return noOverload('+', a, b)
}

function concatBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

export function subtract(a: Value, b: Value): Outcome {
  if (typeof a === 'bigint' && typeof b === 'bigint') return toInt(a - b)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a instanceof Uint && b instanceof Uint) return toUint(a.value - b.value)
  if (a instanceof Duration && b instanceof Duration) return toDuration(a.nanos - b.nanos)
  if (a instanceof Timestamp && b instanceof Duration) return toTimestamp(a.nanos - b.nanos)
  if (a instanceof Timestamp && b instanceof Timestamp) return toDuration(a.nanos - b.nanos)
  return noOverload('-', a, b)
}

export function multiply(a: Value, b: Value): Outcome {
  if (typeof a === 'bigint' && typeof b === 'bigint') return toInt(a * b)
  if (typeof a === 'number' && typeof b === 'number') return a * b
  if (a instanceof Uint && b instanceof Uint) return toUint(a.value * b.value)
  return noOverload('*', a, b)
}

/** Whole numbers are cut towards zero; doubles follow IEEE 754. */
export function divide(a: Value, b: Value): Outcome {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    return b === 0n ? DIVISION_BY_ZERO : toInt(a / b)
  }
  if (typeof a === 'number' && typeof b === 'number') return a / b
  if (a instanceof Uint && b instanceof Uint) {
    return b.value === 0n ? DIVISION_BY_ZERO : new Uint(a.value / b.value)
  }
  return noOverload('/', a, b)
}

/** The sign is that of the dividend. */
export function remainder(a: Value, b: Value): Outcome {
  if (typeof a === 'bigint' && typeof b === 'bigint') return b === 0n ? DIVISION_BY_ZERO : a % b
  if (a instanceof Uint && b instanceof Uint) {
    return b.value === 0n ? DIVISION_BY_ZERO : new Uint(a.value % b.value)
  }
  return noOverload('%', a, b)
}

export function negate(value: Value): Outcome {
  if (typeof value === 'bigint') return toInt(-value)
  return typeof value === 'number' ? -value : noOverload('-', value)
}
