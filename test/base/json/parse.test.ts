import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStorableText } from '../../../src/base/encoding.ts'
import {
  hasUnstorableText,
  MAX_JSON_DEPTH,
  measureJson,
  parseJson,
} from '../../../src/base/json/parse.ts'

/** A value as its nested parts, by the parser of the runtime, which is the witness of this file. */
function partsOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value]
  return [value, ...Object.values(value).flatMap(partsOf)]
}

const membersOf = (value: unknown) =>
  partsOf(value)
    .filter((part) => typeof part === 'object' && part !== null && !Array.isArray(part))
    .reduce((count: number, part) => count + Object.keys(part as object).length, 0)

const textsOf = (value: unknown) =>
  partsOf(value).flatMap((part) => {
    if (typeof part === 'string') return [part]
    return typeof part === 'object' && part !== null ? Object.keys(part) : []
  })

const nest = (open: string, close: string, depth: number) =>
  `${open.repeat(depth)}1${close.repeat(depth)}`

describe('before a JSON text is parsed', () => {
  test('its depth is capped, and brackets in strings are none', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect(parseJson(nest(open, close, MAX_JSON_DEPTH))).toBeDefined()
      expect(parseJson(nest(open, close, MAX_JSON_DEPTH + 1))).toBeUndefined()
      expect(measureJson(nest(open, close, 1_000_000))).toBeUndefined()
    }
    expect(measureJson(JSON.stringify('[{'.repeat(1000)))).toEqual({ members: 0 })
    expect(measureJson(JSON.stringify({ 'a\\"[[': '\\' }))).toEqual({ members: 1 })
    expect(measureJson(`[${'[],'.repeat(1000)}[]]`)).toEqual({ members: 0 })
  })

  test('its members are counted as the parser of the runtime counts them', () => {
    const strings = fc.string({ unit: fc.constantFrom('"', '\\', ':', '[', '{', '}', 'a') })
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), strings, (value, text) => {
        const written = JSON.stringify([value, text, { [text]: text }])
        expect(measureJson(written)?.members).toBe(membersOf(JSON.parse(written)))
      }),
    )
  })

  test('a string without end and a flood of backslashes cost one pass', () => {
    expect(measureJson(`"${'\\'.repeat(1_000_001)}"`)).toEqual({ members: 0 })
    expect(measureJson('"\\"'.repeat(300_000))).toBeDefined()
    expect(parseJson('"abc')).toBeUndefined()
  })

  test('text that cannot be stored is found as the runtime reads it, however it is escaped', () => {
    const piece = fc.constantFrom(
      ...['\\u0000', '\\u000', '\\\\', '\\"', '\\n', '\\ud83d', '\\uDE00', '\\uD800', '\\udfff'],
      ...['u0000', 'ud800', '0', 'a', 'é', '😀', '\\u0001', '\\ue000', '\\ufffe'],
    )
    let found = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.boolean(), (pieces, isName) => {
        const string = `"${pieces.join('')}"`
        const text = isName ? `{${string}:[]}` : `[${string}]`
        let value: unknown
        try {
          value = JSON.parse(text)
        } catch {
          return
        }
        const isFine = textsOf(value).every(isStorableText)
        if (!isFine) found += 1
        expect(hasUnstorableText(text)).toBe(!isFine)
      }),
      { numRuns: 5_000 },
    )
    expect(found).toBeGreaterThan(100)
  })
})
