import {
  Duration,
  isList,
  MapValue,
  Timestamp,
  Uint,
  type Value,
} from '../../../src/policy/language/value.ts'
import type { Json } from '../../support/json.ts'

/** A value as cel.expr.Value has it in JSON, which keeps its type apart from its number. */
export function plainOf(value: Value): Json {
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
  if (value instanceof Uint) return { uint64Value: String(value.value) }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') }
  if (value instanceof Timestamp) return { timestamp: String(value.nanos) }
  if (value instanceof Duration) return { duration: String(value.nanos) }
  if (isList(value)) return { listValue: { values: value.map(plainOf) } }
  const entries =
    value instanceof MapValue
      ? Array.from(value.entries.values(), ({ key, value: of }) => [plainOf(key), plainOf(of)])
      : Object.entries(value).map(([key, of]) => [plainOf(key), plainOf(of as Value)])
  return mapOf(entries.map(([key, of]) => ({ key, value: of })))
}

/** Maps have no order. */
export function mapOf(entries: readonly { readonly key: Json; readonly value: Json }[]): Json {
  const byKey = entries.toSorted((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1))
  return { mapValue: { entries: byKey } }
}
