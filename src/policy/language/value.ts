/** Why an expression has no value. Errors are values: nothing in this folder throws over its input. */
export const EVALUATION_REASONS = [
  'cel_no_such_key',
  'cel_no_such_overload',
  'cel_value_unknown',
  'cel_value_invalid',
  'cel_conversion_invalid',
  'cel_out_of_range',
  'cel_division_by_zero',
  'cel_index_out_of_bounds',
  'cel_map_key_invalid',
  'cel_time_zone_unknown',
  'cel_cost_exceeded',
] as const

export type EvaluationReason = (typeof EVALUATION_REASONS)[number]

/** A runtime error of CEL (cel-spec langdef, "Runtime Errors"). The message is for an administrator. */
export class CelError {
  readonly reason: EvaluationReason
  readonly message: string
  constructor(reason: EvaluationReason, message: string) {
    this.reason = reason
    this.message = message
  }
}

/** CEL's `uint`: 0 to 2^64 - 1. */
export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** `google.protobuf.Timestamp`: nanoseconds since 1970, from the year 1 to the year 9999. */
export class Timestamp {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** `google.protobuf.Duration`, with the range that CEL gives it: 64 bits of nanoseconds. */
export class Duration {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** A map that an expression makes. Numbers that are equal are one key, whatever their types. */
export class MapValue {
  readonly entries: ReadonlyMap<PlainKey, MapEntry>
  constructor(entries: ReadonlyMap<PlainKey, MapEntry>) {
    this.entries = entries
  }
}

/** A key without its numeric type: `2` and `2u` are the same here. */
export type PlainKey = string | boolean | bigint
export type MapEntry = { readonly key: Value; readonly value: Value }

/** A JSON object is a map with keys of text (langdef, "JSON Data Conversion"). */
export type JsonObject = { readonly [name: string]: unknown }

/**
 * A value of CEL: `int` is a bigint, `double` a number, `list` an array. JSON is such a value as it
 * is, so that what a caller sent is never copied; its numbers are doubles, as langdef has it.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | readonly Value[]
  | MapValue
  | JsonObject

export type Outcome = Value | CelError

/** What one evaluation works with. */
export type Frame = {
  readonly variables: Readonly<Record<string, unknown>>
  /** What the variable of the loop stands for; there are no loops in loops. */
  item: Value
  /** What it may still cost, see `spend`. */
  steps: number
}

/** An expression made ready. Never throws. */
export type Closure = (frame: Frame) => Outcome

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

export function isJsonObject(value: Value): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof MapValue) &&
    !(value instanceof Timestamp) &&
    !(value instanceof Duration) &&
    !(value instanceof Uint) &&
    !(value instanceof Uint8Array)
  )
}

export function nameOfType(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
  }
  if (value === null) return 'null_type'
  if (value instanceof Uint) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  return isList(value) ? 'list' : 'map'
}

/** There is no such operator or function for these types. */
export function noOverload(name: string, ...operands: readonly Value[]): CelError {
  const types = operands.map(nameOfType).join(', ')
  return new CelError('cel_no_such_overload', `No such overload: ${name}(${types})`)
}

/** What a caller sent, for a message: short, and storable whatever is in it. */
export function show(value: string): string {
  return JSON.stringify(value.slice(0, MAX_SHOWN_CHARS))
}

const MAX_SHOWN_CHARS = 40

export const COST_EXCEEDED = new CelError(
  'cel_cost_exceeded',
  'The evaluation takes too many steps',
)

/**
 * Takes steps for work that grows with values: turns of a loop, what is copied or looked through.
 * The same input costs the same everywhere, so that a receipt recomputes an evaluation cut short.
 * Whoever is refused hands that on: nothing is evaluated after it, and no operator makes up for it.
 */
export function spend(frame: Frame, steps: number): CelError | undefined {
  frame.steps -= steps
  return frame.steps < 0 ? COST_EXCEEDED : undefined
}
