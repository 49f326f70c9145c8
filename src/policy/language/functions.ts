import type { RE2JS } from 're2js'
import {
  convertToBool,
  convertToBytes,
  convertToDouble,
  convertToDuration,
  convertToInt,
  convertToString,
  convertToTimestamp,
  convertToUint,
  sizeOf,
} from './conversions.ts'
import { contains, endsWith, ILL_FORMED, lowerAscii, startsWith, upperAscii } from './text.ts'
import { ACCESSORS, readMember } from './time.ts'
import { type Frame, noOverload, type Outcome, spend, type Value } from './value.ts'

/** Every function of one argument; `has` is no function. */
export const FUNCTIONS: Readonly<Record<string, (value: Value, frame: Frame) => Outcome>> = {
  size: sizeOf,
  int: convertToInt,
  uint: convertToUint,
  double: convertToDouble,
  string: convertToString,
  bytes: convertToBytes,
  bool: convertToBool,
  timestamp: convertToTimestamp,
  duration: convertToDuration,
}

type Method = (receiver: Value, argument: Value | undefined, frame: Frame) => Outcome

function withoutArgument(name: string, apply: (receiver: Value, frame: Frame) => Outcome): Method {
  return (receiver, argument, frame) => {
    return argument === undefined ? apply(receiver, frame) : noOverload(name, receiver, argument)
  }
}

function withArgument(
  name: string,
  apply: (receiver: Value, argument: Value, frame: Frame) => Outcome,
): Method {
  return (receiver, argument, frame) => {
    return argument === undefined ? noOverload(name, receiver) : apply(receiver, argument, frame)
  }
}

/** Every method but the loops and `matches`, whose pattern is compiled with the expression. */
export const METHODS: Readonly<Record<string, Method>> = {
  size: withoutArgument('size', sizeOf),
  startsWith: withArgument('startsWith', startsWith),
  endsWith: withArgument('endsWith', endsWith),
  contains: withArgument('contains', contains),
  lowerAscii: withoutArgument('lowerAscii', lowerAscii),
  upperAscii: withoutArgument('upperAscii', upperAscii),
  ...Object.fromEntries(
    Object.keys(ACCESSORS).map((name): [string, Method] => [
      name,
      (time, zone) => readMember(name, time, zone),
    ]),
  ),
}

/** langdef, "Regular Expressions": RE2, and a match anywhere in the text. */
export function matchPattern(text: Value, pattern: RE2JS, frame: Frame): Outcome {
  if (typeof text !== 'string') return noOverload('matches', text)
  const over = spend(frame, text.length)
  if (over !== undefined) return over
  return text.isWellFormed() ? pattern.matcher(text).find() : ILL_FORMED
}
