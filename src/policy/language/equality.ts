import { MAX_VALUE_DEPTH } from '../limits.ts'
import { isMap, keysOfMap, lookUp, plainKeyOf, sizeOfMap } from './map.ts'
import { compareText, ILL_FORMED, spendOnTexts } from './text.ts'
import {
  type CelError,
  COST_EXCEEDED,
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

/**
 * `==`. Numbers are equal across their types where they are the same number, NaN is equal to
 * nothing, and values of two other types are not equal, which is no error (cel-spec,
 * tests/simple/testdata/comparisons: eq_literal).
 */
export function equal(a: Value, b: Value, frame: Frame, depth = 0): boolean | CelError {
  if (typeof a === 'string') return equalTexts(a, b, frame)
  if (typeof a !== 'object' || a === null) {
    if (a === b) return true
    const isNumeric = typeof a === 'bigint' || typeof a === 'number'
    if (!isNumeric) return false
    if (typeof b === 'bigint' || typeof b === 'number') return isSameNumber(a, b)
    return b instanceof Uint && isSameNumber(a, b.value)
  }
  if (a instanceof Uint) {
    if (b instanceof Uint) return a.value === b.value
    return (typeof b === 'bigint' || typeof b === 'number') && isSameNumber(b, a.value)
  }
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0
  return depth > MAX_VALUE_DEPTH
    ? COST_EXCEEDED
    : equalContainers(a, b, { frame, depth: depth + 1 })
}

function equalTexts(a: string, b: Value, frame: Frame): boolean | CelError {
  if (typeof b !== 'string' || a.length !== b.length) return false
  return spendOnTexts(frame, a, b) ?? a === b
}

function isSameNumber(a: number | bigint, b: number | bigint): boolean {
  if (typeof a === 'number') return typeof b === 'number' ? a === b : isWhole(a, b)
  return typeof b === 'number' ? isWhole(b, a) : a === b
}

function isWhole(double: number, whole: bigint): boolean {
  return Number.isInteger(double) && BigInt(double) === whole
}

type Descent = { readonly frame: Frame; readonly depth: number }

function equalContainers(a: Value, b: Value, descent: Descent): boolean | CelError {
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false
    return equalAll(a.length, descent, (at) => [a[at], b[at]])
  }
  if (!isMap(b)) return false
  const [sizeOfA, sizeOfB] = [sizeOfMap(a, descent.frame), sizeOfMap(b, descent.frame)]
  if (typeof sizeOfA !== 'number') return sizeOfA
  if (typeof sizeOfB !== 'number') return sizeOfB
  if (sizeOfA !== sizeOfB) return false
  const keys = keysOfMap(a)
  return equalAll(keys.length, descent, (at) => {
    const key = plainKeyOf(keys[at] ?? null)
    return key === undefined ? [] : [lookUp(a, key), lookUp(b, key)]
  })
}

function equalAll(
  length: number,
  { frame, depth }: Descent,
  pairAt: (at: number) => readonly (Value | undefined)[],
): boolean | CelError {
  const over = spend(frame, length)
  if (over !== undefined) return over
  for (let at = 0; at < length; at++) {
    const [left, right] = pairAt(at)
    if (left === undefined || right === undefined) return false
    const isEqual = equal(left, right, frame, depth)
    if (isEqual !== true) return isEqual
  }
  return true
}

/** `in`: an element of a list, or a key of a map. */
export function isIn(value: Value, container: Value, frame: Frame): Outcome {
  if (isList(container)) {
    const over = spend(frame, container.length)
    if (over !== undefined) return over
    for (const element of container) {
      const isEqual = equal(element, value, frame)
      if (isEqual !== false) return isEqual
    }
    return false
  }
  if (!isMap(container)) return noOverload('in', value, container)
  const key = plainKeyOf(value)
  if (key === undefined)
    return typeof value === 'number' ? false : noOverload('in', value, container)
  return lookUp(container, key) !== undefined
}

/**
 * Less than 0, 0 or more for what can be ordered; NaN where one side is NaN. A whole number is
 * compared with a double as the nearest double (cel-spec, tests/simple/testdata/comparisons:
 * not_lt_dyn_int_big_lossy_double).
 */
export function order(operator: string, a: Value, b: Value, frame: Frame): number | CelError {
  switch (typeof a) {
    case 'string':
      return typeof b === 'string' ? orderTexts(a, b, frame) : noOverload(operator, a, b)
    case 'boolean':
      if (typeof b !== 'boolean') break
      return Number(a) - Number(b)
    case 'bigint':
    case 'number':
      return orderNumbers(operator, a, b)
  }
  if (a instanceof Timestamp && b instanceof Timestamp) return orderWhole(a.nanos, b.nanos)
  if (a instanceof Duration && b instanceof Duration) return orderWhole(a.nanos, b.nanos)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b)
  if (a instanceof Uint) return orderNumbers(operator, a.value, b)
  return noOverload(operator, a, b)
}

function orderTexts(a: string, b: string, frame: Frame): number | CelError {
  const over = spend(frame, a.length + b.length)
  if (over !== undefined) return over
  return a.isWellFormed() && b.isWellFormed() ? compareText(a, b) : ILL_FORMED
}

function orderNumbers(operator: string, a: bigint | number, b: Value): number | CelError {
  const other = b instanceof Uint ? b.value : b
  if (typeof other !== 'bigint' && typeof other !== 'number') return noOverload(operator, a, b)
  if (typeof a === 'bigint' && typeof other === 'bigint') return orderWhole(a, other)
  const [left, right] = [Number(a), Number(other)]
  if (left === right) return 0
  return left < right ? -1 : left > right ? 1 : Number.NaN
}

function orderWhole(a: bigint, b: bigint): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
