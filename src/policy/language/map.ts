import {
  CelError,
  type Frame,
  isJsonObject,
  isList,
  MapValue,
  type Outcome,
  type PlainKey,
  show,
  spend,
  Uint,
  type Value,
} from './value.ts'

/** Undefined for what can be no key, and for a double that is no whole number. */
export function plainKeyOf(key: Value): PlainKey | undefined {
  switch (typeof key) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return key
    case 'number':
      return Number.isInteger(key) ? BigInt(key) : undefined
  }
  return key instanceof Uint ? key.value : undefined
}

export function isMap(value: Value): value is MapValue | { readonly [name: string]: unknown } {
  return value instanceof MapValue || isJsonObject(value)
}

/** The value of a key; undefined where the map has none. */
export function lookUp(map: Value, key: PlainKey): Value | undefined {
  if (map instanceof MapValue) return map.entries.get(key)?.value
  if (typeof key !== 'string' || !isJsonObject(map) || !Object.hasOwn(map, key)) return undefined
  return map[key] as Value | undefined
}

/** Costs what it takes: of what a caller sent, the keys are counted. */
export function sizeOfMap(map: Value, frame: Frame): number | CelError {
  if (map instanceof MapValue) return map.entries.size
  const { length } = keysOfMap(map)
  return spend(frame, length) ?? length
}

export function keysOfMap(map: Value): readonly Value[] {
  if (map instanceof MapValue) return Array.from(map.entries.values(), ({ key }) => key)
  return isJsonObject(map) ? Object.keys(map).filter((key) => map[key] !== undefined) : []
}

/** Keys are bool, int, uint or string, and each is there once (langdef, "Values"). */
export function mapOfEntries(entries: readonly (readonly [Value, Value])[]): Outcome {
  const byKey = new Map<PlainKey, { readonly key: Value; readonly value: Value }>()
  for (const [key, value] of entries) {
    const plain = typeof key === 'number' ? undefined : plainKeyOf(key)
    if (plain === undefined) {
      return new CelError('cel_map_key_invalid', 'A key of a map is no bool, int, uint or string')
    }
    if (byKey.has(plain)) {
      return new CelError('cel_map_key_invalid', `A key of a map is repeated: ${showKey(plain)}`)
    }
    byKey.set(plain, { key, value })
  }
  return new MapValue(byKey)
}

export function noSuchKey(key: string): CelError {
  return new CelError('cel_no_such_key', `No such key: ${key}`)
}

const NO_SUCH_KEY = noSuchKey('of that value')
const INDEX_INVALID = new CelError('cel_index_out_of_bounds', 'The index is not in the list')
const NOT_INDEXED = new CelError('cel_no_such_overload', 'Only lists and maps have elements')

function showKey(key: PlainKey): string {
  return typeof key === 'string' ? show(key) : String(key)
}

/** `container[key]`. */
export function elementOf(container: Value, key: Value): Outcome {
  if (isList(container)) {
    const index = plainKeyOf(key)
    if (typeof index !== 'bigint' || index < 0n || index >= container.length) return INDEX_INVALID
    return container[Number(index)] ?? null
  }
  if (!isMap(container)) return NOT_INDEXED
  const plain = plainKeyOf(key)
  if (plain === undefined) return NO_SUCH_KEY
  return lookUp(container, plain) ?? absentOf(container, plain)
}

/** A value of null is there, and `??` does not see it. */
function absentOf(map: Value, key: PlainKey): Outcome {
  return lookUp(map, key) === null ? null : noSuchKey(showKey(key))
}

/** `object.name`, whose error is made once. */
export function memberOf(object: Value, name: string, absent: CelError): Outcome {
  if (!isMap(object)) return NOT_INDEXED
  const value = lookUp(object, name)
  return value === undefined ? absent : value
}

/** `has(object.name)`. */
export function hasMember(object: Value, name: string): Outcome {
  return isMap(object) ? lookUp(object, name) !== undefined : NOT_INDEXED
}
