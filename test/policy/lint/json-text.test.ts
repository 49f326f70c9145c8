import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type JsonNode,
  memberOf,
  offsetInString,
  plainValueOf,
  readJsonText,
} from '../../../src/policy/lint/json-text.ts'

function parse(text: string): unknown {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

describe('reading JSON for its positions', () => {
  const written = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.nat(3)).map(([value, indent]) => {
    return JSON.stringify(value, null, indent)
  })
  const mutated = fc
    .tuple(written, fc.nat(), fc.nat(2), fc.string({ maxLength: 2 }))
    .map(([text, at, length, put]) => {
      const start = at % (text.length + 1)
      return text.slice(0, start) + put + text.slice(start + length)
    })

  test('accepts what JSON.parse does, with the same value, and refuses what it refuses', () => {
    fc.assert(
      fc.property(fc.oneof(written, mutated, fc.string()), (text) => {
        const { node } = readJsonText(text)
        const value = node === undefined ? undefined : { value: plainValueOf(node) }
        expect(value).toEqual(parse(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('a part of the text is the value that is said to stand there', () => {
    fc.assert(
      fc.property(written, (text) => {
        const { node } = readJsonText(text)
        if (node === undefined) throw new Error('was not read')
        checkPlaces(text, node)
      }),
    )
  })

  test('__proto__ is a member like others', () => {
    const { node } = readJsonText('{"__proto__": {"a": 1}}')
    expect(memberOf(node, '__proto__')?.start).toBe(1)
    expect(Object.keys(node === undefined ? {} : (plainValueOf(node) as object))).toEqual([
      '__proto__',
    ])
  })

  test('units of a string are found whatever they are written as', () => {
    const text = String.raw`  "a\"\u0041\nb😀c"`
    const { node } = readJsonText(text)
    if (node?.kind !== 'string') throw new Error('no string')
    const places = [...node.value.split('')].map((_, at) => offsetInString(text, node, at))
    expect(places).toEqual([3, 4, 6, 12, 14, 15, 16, 17])
    expect(offsetInString(text, node, node.value.length)).toBe(text.length - 1)
  })
})

function checkPlaces(text: string, node: JsonNode): void {
  expect(JSON.parse(text.slice(node.start, node.end))).toEqual(plainValueOf(node))
  if (node.kind === 'array') for (const item of node.items) checkPlaces(text, item)
  if (node.kind !== 'object') return
  for (const { name, start, end, node: member } of node.members) {
    expect(JSON.parse(text.slice(start, end))).toBe(name)
    checkPlaces(text, member)
  }
}
