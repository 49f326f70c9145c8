import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPositionFinder } from '../../../src/base/json/position.ts'
import {
  isLegalString,
  JSON_REASONS,
  type JsonLimits,
  type JsonNode,
  type JsonStringNode,
  memberOf,
  offsetInString,
  plainValueOf,
  readJsonTree,
  subtreeOf,
} from '../../../src/base/json/tree.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/** `JSON.parse` of the runtime is the witness of this file. */

const STRICT = { maxDepth: 16, maxValues: 4_096, repeatedMembers: 'refuse' } as const
const LENIENT = { maxDepth: 64, repeatedMembers: 'report' } as const

function read(text: string, limits: JsonLimits = STRICT) {
  return readJsonTree(text, limits)
}

function parse(text: string): unknown {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function textOf(text: string, ...path: readonly string[]): string {
  let node: JsonNode | undefined = expectOk(read(text)).root
  for (const name of path) node = memberOf(node, name)?.node
  return node === undefined ? expect.fail(`nothing at ${path}`) : text.slice(node.start, node.end)
}

const written = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.nat(3)).map(([value, indent]) => {
  return JSON.stringify(value, null, indent)
})
const alphabet = fc.constantFrom(...'{}[]:,"\\ue1 -.+aAfnrt/0tfn\n\u0001é'.split(''))
const near = fc.string({ unit: alphabet, maxLength: 40 })
const mutated = fc
  .tuple(fc.oneof(written, near, fc.json()), fc.nat(), fc.nat(2), fc.oneof(near, fc.string()))
  .map(([text, at, length, put]) => {
    const start = at % (text.length + 1)
    return text.slice(0, start) + put + text.slice(start + length)
  })

describe('the value', () => {
  test('is that of JSON.parse, and what JSON.parse refuses is refused', () => {
    fc.assert(
      fc.property(fc.oneof(written, mutated, fc.string()), (text) => {
        const tree = read(text, LENIENT)
        expect(tree.ok ? { value: plainValueOf(tree.value.root) } : undefined).toEqual(parse(text))
      }),
      { numRuns: 4_000 },
    )
  })

  test('of a long string is that of JSON.parse, whatever stands in it', () => {
    const piece = fc.constantFrom('\\', '"', '\\"', '\\n', '\n', '\u0000', '\u001f', '\u007f', 'é')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 4 }),
        fc.nat(600),
        fc.boolean(),
        (parts, at, cut) => {
          const filler = 'a'.repeat(600)
          const inner = filler.slice(0, at) + parts.join('') + filler.slice(at)
          const text = `["${inner}${cut ? '' : '"'}]`
          const tree = read(text)
          expect(tree.ok ? { value: plainValueOf(tree.value.root) } : undefined).toEqual(
            parse(text),
          )
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('has a member named __proto__ like any other', () => {
    const { root } = expectOk(read('{"__proto__": {"a": 1}}'))
    expect(memberOf(root, '__proto__')?.start).toBe(1)
    expect(memberOf(root, 'a')).toBeUndefined()
    expect(Object.keys(plainValueOf(root) as object)).toEqual(['__proto__'])
  })
})

describe('places', () => {
  test('a part of the text is the value that is said to stand there', () => {
    fc.assert(
      fc.property(written, (text) => {
        checkPlaces(text, expectOk(read(text, LENIENT)).root)
      }),
    )
  })

  test('a member keeps its text with every space, escape and spelling of a number', () => {
    const inner = '{ "a" :\t1.50e0,\n"b\\u0062":"\\u00e9\\/" , "c":[ ] }'
    const text = ` {"x": ${inner} , "y": true}\r\n`
    expect(textOf(text, 'x')).toBe(inner)
    expect(textOf(text, 'x', 'bb')).toBe('"\\u00e9\\/"')
  })

  test('units of a string are found whatever they are written as', () => {
    const text = String.raw`  "a\"\u0041\nb😀c"`
    const { root } = expectOk(read(text))
    if (root.kind !== 'string') throw new Error('no string')
    const places = [...root.value.split('')].map((_, at) => offsetInString(text, root, at))
    expect(places).toEqual([3, 4, 6, 12, 14, 15, 16, 17])
    expect(offsetInString(text, root, root.value.length)).toBe(text.length - 1)
  })

  test('a part of a text is a document of its own, with lines that count from its beginning', () => {
    const text = '{"a": 1, "a": 2,\n "document": {"b": 1,\n  "b": 2}\n}'
    const tree = expectOk(read(text, LENIENT))
    expect(tree.repeated.map(({ name }) => name)).toEqual(['a', 'b'])
    const part = subtreeOf(tree, memberOf(tree.root, 'document')?.node ?? expect.fail('no member'))
    const positionOf = createPositionFinder(part.text, part.start)
    expect(positionOf(part.root.start)).toEqual({ line: 1, column: 1 })
    expect(part.repeated.map(({ offset }) => positionOf(offset))).toEqual([{ line: 2, column: 3 }])
    expect(plainValueOf(part.root)).toEqual({ b: 2 })
  })
})

function checkPlaces(text: string, node: JsonNode): void {
  expect(JSON.parse(text.slice(node.start, node.end))).toEqual(plainValueOf(node))
  if (node.kind === 'array') for (const item of node.items) checkPlaces(text, item)
  if (node.kind !== 'object') return
  for (const { name, start, end, node: member } of node.members.values()) {
    expect(JSON.parse(text.slice(start, end))).toBe(name)
    checkPlaces(text, member)
  }
}

describe('refusals', () => {
  test.each([
    '{"report_signed":1,"report_signed":2}',
    String.raw`{"report_signed":1,"report\u005fsigned":2}`,
    '{"a":{"b":[{"c":1,"d":2,"c":1}]}}',
  ])('a second member of the same name, unless it is asked to be told: %s', (text) => {
    expectRefusal(read(text), 'json_duplicate_member')
    const { root, repeated } = expectOk(read(text, LENIENT))
    expect(repeated).toHaveLength(1)
    expect(plainValueOf(root)).toEqual(JSON.parse(text))
  })

  test.each([
    ...['', ' ', '{', '}', '[', ']', '"', '"\\"', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '[1,]'],
    ...['[,1]', '{a:1}', "{'a':1}", '01', '+1', '1.', '.5', '-', '1e', 'NaN', 'tru', 'nul', 'x'],
    ...['"\u0000"', '"a\nb"', '"\\x"', '"\\u12"', '1 2', '{} {}', '\ufeff{}', '//x\n1', '[1 2]'],
    ...['1a', 'true1', '1.2.3', '\u00a01', '[1]\u2028'],
  ])('what is not JSON: %j', (text) => {
    expectRefusal(read(text), 'json_malformed')
  })

  test('nesting beyond the limit', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expectOk(read(nested(STRICT.maxDepth + 1)))
    expectRefusal(read(nested(STRICT.maxDepth + 2)), 'json_too_deep')
    expectRefusal(read('[{"a":'.repeat(100_000)), 'json_too_deep')
  })

  test('more values than the limit', () => {
    const list = (count: number) => `[${Array.from({ length: count }, () => 0).join()}]`
    expectOk(read(list(STRICT.maxValues - 1)))
    expectRefusal(read(list(STRICT.maxValues)), 'json_too_many_values')
    expectOk(read(list(STRICT.maxValues), LENIENT))
  })

  test('every truncation of an object', () => {
    const text = String.raw`{"a":[1,-2.5e3,"x\"\\y"],"b":{"c":null,"d":[true,false]}}`
    expectOk(read(text))
    for (let length = 0; length < text.length; length++) {
      expectRefusal(read(text.slice(0, length)), 'json_malformed')
    }
    expectRefusal(read(`${text}}`), 'json_malformed')
  })

  test('a reason that is listed, whatever the text is', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        const tree = read(text)
        if (!tree.ok) expect(JSON_REASONS).toContain(tree.failure.reason)
      }),
    )
  })

  // Counting back to the beginning of the string for each quotation mark would look 10^13 times.
  test('floods of escaped quotation marks and of backslashes end', () => {
    const flood = '\\"'.repeat(4_000_000)
    expectOk(read(`"${flood}"`))
    expectRefusal(read(`"${flood}`), 'json_malformed')
    const backslashes = '\\'.repeat(4_000_000)
    expectOk(read(`"${backslashes}"`))
    expectRefusal(read(`"${backslashes}""`), 'json_malformed')
  })
})

describe('long strings whose check is deferred', () => {
  const long = 'a'.repeat(300)

  test('are owed only if they are long and have no escapes', () => {
    const owed = new Set<JsonStringNode>()
    const text = JSON.stringify(['short', long, `${long}\n`, { [long]: 1 }])
    expectOk(read(text, { ...STRICT, deferLongStringChecks: owed }))
    expect([...owed].map(({ value }) => value)).toEqual([long, long])
  })

  test('are legal as far as JSON.parse says so', () => {
    fc.assert(
      fc.property(fc.nat(0x11f), fc.nat(300), (unit, at) => {
        const value = long.slice(0, at) + String.fromCharCode(unit) + long.slice(at)
        const text = `["${value}"]`
        const owed = new Set<JsonStringNode>()
        const tree = read(text, { ...STRICT, deferLongStringChecks: owed })
        const isLegal = tree.ok && [...owed].every((string) => isLegalString(text, string))
        expect(isLegal).toBe(parse(text) !== undefined)
      }),
      { numRuns: 500 },
    )
  })
})
