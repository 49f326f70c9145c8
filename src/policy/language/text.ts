import { CelError, type Frame, noOverload, type Outcome, spend, type Value } from './value.ts'

/** Half of a surrogate pair is no code point, and so in no string of CEL; JSON can carry it. */
export const ILL_FORMED = new CelError('cel_value_invalid', 'A text has half of a surrogate pair')

/**
 * Less than 0, 0 or more, by code points (langdef, "Equality and Ordering"). UTF-16 units have the
 * same order but for surrogates, which stand below U+E000 and belong above U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return rankOfUnit(left) - rankOfUnit(right)
  }
  return a.length - b.length
}

function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}

/** The number of code points. */
export function sizeOfText(text: string, frame: Frame): Outcome {
  const over = spend(frame, text.length)
  if (over !== undefined) return over
  if (!text.isWellFormed()) return ILL_FORMED
  let low = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 0xdc00 && unit < 0xe000) low += 1
  }
  return BigInt(text.length - low)
}

export function concatTexts(a: string, b: string, frame: Frame): Outcome {
  const over = spend(frame, a.length + b.length)
  if (over !== undefined) return over
  return a.isWellFormed() && b.isWellFormed() ? a + b : ILL_FORMED
}

export function lowerAscii(text: Value, frame: Frame): Outcome {
  if (typeof text !== 'string') return noOverload('lowerAscii', text)
  const over = spend(frame, text.length)
  if (over !== undefined) return over
  if (!text.isWellFormed()) return ILL_FORMED
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

export function upperAscii(text: Value, frame: Frame): Outcome {
  if (typeof text !== 'string') return noOverload('upperAscii', text)
  const over = spend(frame, text.length)
  if (over !== undefined) return over
  if (!text.isWellFormed()) return ILL_FORMED
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())
}

/** How many characters may be compared for one step: engines compare them many at once. */
const COMPARED_PER_STEP = 64

/** For texts that are looked through side by side. */
export function spendOnTexts(frame: Frame, a: string, b: string): CelError | undefined {
  return spend(frame, (a.length + b.length) / COMPARED_PER_STEP)
}

export function startsWith(text: Value, prefix: Value, frame: Frame): Outcome {
  if (typeof text !== 'string' || typeof prefix !== 'string') {
    return noOverload('startsWith', text, prefix)
  }
  const over = spendOnTexts(frame, text, prefix)
  if (over !== undefined) return over
  if (!text.isWellFormed() || !prefix.isWellFormed()) return ILL_FORMED
  return text.startsWith(prefix)
}

export function endsWith(text: Value, suffix: Value, frame: Frame): Outcome {
  if (typeof text !== 'string' || typeof suffix !== 'string') {
    return noOverload('endsWith', text, suffix)
  }
  const over = spendOnTexts(frame, text, suffix)
  if (over !== undefined) return over
  if (!text.isWellFormed() || !suffix.isWellFormed()) return ILL_FORMED
  return text.endsWith(suffix)
}

export function contains(text: Value, part: Value, frame: Frame): Outcome {
  if (typeof text !== 'string' || typeof part !== 'string') {
    return noOverload('contains', text, part)
  }
  // langdef, "Time Complexity": the product of the sizes, at worst.
  const work = text.length * part.length + text.length + part.length
  const over = spend(frame, work / COMPARED_PER_STEP)
  if (over !== undefined) return over
  if (!text.isWellFormed() || !part.isWellFormed()) return ILL_FORMED
  return text.includes(part)
}
