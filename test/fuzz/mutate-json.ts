import type { Chance } from './mutate.ts'

/** Values that are seldom meant, as JSON. */
const VALUES: readonly string[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e300,
    Number.MAX_SAFE_INTEGER,
    '',
    ' ',
    'A',
    '0',
    'null',
    '\0',
  ],
  ...['\ud800', '\u{1f600}', '__proto__', 'A'.repeat(300), [], {}, [[]], [null], { a: {} }],
].map((value) => JSON.stringify(value))

const PROTOTYPE = '{"__proto__":{"a":1},"constructor":1}'

type Place = { readonly holder: Record<string, unknown> | unknown[]; readonly key: string }

/**
 * `text`, if it is JSON, with one to three of its values changed, removed or given twice, so that what
 * comes after the syntax is met too. Else `undefined`.
 */
export function mutateJson(text: string, chance: Chance): string | undefined {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return undefined
  }
  const held = { root }
  for (let times = 1 + chance.below(3); times > 0; times--) {
    const places = placesIn(held)
    const place = places[chance.below(places.length)]
    if (place !== undefined) change(place, places, chance)
  }
  return JSON.stringify(held.root) ?? 'null'
}

function change({ holder, key }: Place, places: readonly Place[], chance: Chance): void {
  const target = holder as Record<string, unknown>
  const value = target[key]
  switch (chance.below(5)) {
    case 0:
      target[key] = JSON.parse(VALUES[chance.below(VALUES.length + 1)] ?? PROTOTYPE)
      return
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else delete target[key]
      return
    case 2: {
      const other = places[chance.below(places.length)]
      // A copy: within itself it would be no JSON.
      target[key] = other === undefined ? null : JSON.parse(textOf(other))
      return
    }
    case 3:
      if (typeof value === 'string') target[key] = edited(value, chance)
      else if (typeof value === 'number') target[key] = value + chance.below(3) - 1
      else if (Array.isArray(value)) value.push(...value.slice(0, 50))
      return
    default:
      if (!Array.isArray(holder)) target[`${key}${chance.below(10)}`] = value
  }
}

function textOf({ holder, key }: Place): string {
  return JSON.stringify((holder as Record<string, unknown>)[key]) ?? 'null'
}

function edited(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1)
  const letter = String.fromCharCode(32 + chance.below(95))
  return text.slice(0, at) + letter + text.slice(at + chance.below(2))
}

function placesIn(root: object): Place[] {
  const found: Place[] = []
  const visit = (holder: object) => {
    for (const [key, value] of Object.entries(holder)) {
      found.push({ holder: holder as Place['holder'], key })
      if (typeof value === 'object' && value !== null && found.length < 2000) visit(value)
    }
  }
  visit(root)
  return found
}
