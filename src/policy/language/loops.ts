import { isMap, keysOfMap } from './map.ts'
import {
  CelError,
  type Closure,
  COST_EXCEEDED,
  type Frame,
  isList,
  noOverload,
  type Outcome,
  type Value,
} from './value.ts'

export type Items = readonly Value[]
export type Fold = (items: Items, body: Closure, frame: Frame) => Outcome

/**
 * langdef, "Macros": a false element decides, whatever errors there are beside it, but for the end of
 * what an evaluation may cost.
 */
function all(items: Items, body: Closure, frame: Frame): Outcome {
  return quantify(items, body, { frame, name: 'all', decisive: false })
}

function exists(items: Items, body: Closure, frame: Frame): Outcome {
  return quantify(items, body, { frame, name: 'exists', decisive: true })
}

function quantify(
  items: Items,
  body: Closure,
  { frame, name, decisive }: { frame: Frame; name: string; decisive: boolean },
): Outcome {
  let error: CelError | undefined
  for (const item of items) {
    frame.item = item
    const holds = body(frame)
    if (holds === decisive) return decisive
    if (typeof holds === 'boolean') continue
    if (holds === COST_EXCEEDED) return holds
    error ??= holds instanceof CelError ? holds : noOverload(name, holds)
  }
  return error ?? !decisive
}

/** Here and below an element without a value leaves the whole without one. */
function existsOne(items: Items, body: Closure, frame: Frame): Outcome {
  const found = filter(items, body, frame)
  return found instanceof CelError ? found : found.length === 1
}

export function filter(items: Items, body: Closure, frame: Frame): Items | CelError {
  const found: Value[] = []
  for (const item of items) {
    frame.item = item
    const holds = body(frame)
    if (holds === true) found.push(item)
    else if (holds instanceof CelError) return holds
    else if (holds !== false) return noOverload('filter', holds)
  }
  return found
}

function mapItems(items: Items, body: Closure, frame: Frame): Outcome {
  const results: Value[] = []
  for (const item of items) {
    frame.item = item
    const result = body(frame)
    if (result instanceof CelError) return result
    results.push(result)
  }
  return results
}

/** The macros that go through a list, or the keys of a map. */
export const LOOPS: ReadonlyMap<string, Fold> = new Map([
  ['all', all],
  ['exists', exists],
  ['exists_one', existsOne],
  ['filter', filter],
  ['map', mapItems],
])

export function itemsOf(range: Value): Items | undefined {
  if (range !== null && isList(range)) return range
  return isMap(range) ? keysOfMap(range) : undefined
}
