import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../../src/verifier/limits.ts'
import {
  JSON_REASONS,
  parseRawJson,
  type RawJson,
} from '../../../src/verifier/protocol/raw-json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

function member(json: RawJson, name: string): RawJson {
  const value = json.kind === 'object' ? json.members.get(name) : undefined
  return value ?? expect.fail(`no member ${name}`)
}

/** The value as JSON.parse would give it. */
function plain(json: RawJson): unknown {
  switch (json.kind) {
    case 'object':
      return Object.fromEntries([...json.members].map(([name, value]) => [name, plain(value)]))
    case 'array':
      return json.items.map(plain)
    case 'null':
      return null
    default:
      return json.value
  }
}

const noOwnProto = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__')

describe('exact text', () => {
  test('a member keeps its text with every space, escape and spelling of a number', () => {
    const inner = '{ "a" :\t1.50e0,\n"b\\u0062":"\\u00e9\\/" , "c":[ ] }'
    const json = expectOk(parseRawJson(` {"x": ${inner} , "y": true}\r\n`))
    expect(member(json, 'x').text).toBe(inner)
    expect(plain(member(json, 'x'))).toEqual({ a: 1.5, bb: 'é/', c: [] })
  })

  test('strings end where RFC 8259 says, whatever stands before the quotation mark', () => {
    const text = String.raw`["\\", "\\\"", "\"\\\\", "]"]`
    expect(plain(expectOk(parseRawJson(text)))).toEqual(['\\', '\\"', '"\\\\', ']'])
  })

  test('a member named __proto__ is a member like any other', () => {
    const json = expectOk(parseRawJson('{"__proto__": {"kty": "RSA"}}'))
    expect(member(json, '__proto__').kind).toBe('object')
    expect(json.kind === 'object' && json.members.has('kty')).toBe(false)
  })
})

describe('refusals', () => {
  test.each([
    '{"report_signed":1,"report_signed":2}',
    String.raw`{"report_signed":1,"report\u005fsigned":2}`,
    '{"a":{"b":[{"c":1,"d":2,"c":1}]}}',
  ])('a second member of the same name: %s', (text) => {
    expectRefusal(parseRawJson(text), 'json_duplicate_member')
  })

  test.each([
    ...['', ' ', '{', '}', '[', ']', '"', '"\\"', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '[1,]'],
    ...['[,1]', '{a:1}', "{'a':1}", '01', '+1', '1.', '.5', '-', '1e', 'NaN', 'tru', 'nul', 'x'],
    ...['"\u0000"', '"a\nb"', '"\\x"', '"\\u12"', '1 2', '{} {}', '\ufeff{}', '//x\n1', '[1 2]'],
  ])('what is not JSON: %j', (text) => {
    expectRefusal(parseRawJson(text), 'json_malformed')
  })

  test('nesting beyond the limit', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expectOk(parseRawJson(nested(MAX_JSON_DEPTH + 1)))
    expectRefusal(parseRawJson(nested(MAX_JSON_DEPTH + 2)), 'json_too_deep')
    expectRefusal(parseRawJson('[{"a":'.repeat(100_000)), 'json_too_deep')
  })

  test('more values than any honest message has', () => {
    const list = (count: number) => `[${Array.from({ length: count }, () => 0).join()}]`
    expectOk(parseRawJson(list(MAX_JSON_VALUES - 1)))
    expectRefusal(parseRawJson(list(MAX_JSON_VALUES)), 'json_too_many_values')
  })

  test('every truncation of an object', () => {
    const text = String.raw`{"a":[1,-2.5e3,"x\"\\y"],"b":{"c":null,"d":[true,false]}}`
    expectOk(parseRawJson(text))
    for (let length = 0; length < text.length; length++) {
      expectRefusal(parseRawJson(text.slice(0, length)), 'json_malformed')
    }
    expectRefusal(parseRawJson(`${text}}`), 'json_malformed')
  })

  test('a megabyte of backslashes is read in one pass', () => {
    const text = `"${'\\'.repeat(1_000_000)}"`
    const started = performance.now()
    expectOk(parseRawJson(text))
    expectRefusal(parseRawJson(`${text}"`), 'json_malformed')
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('against JSON.parse', () => {
  const indents = fc.constantFrom('', ' ', '\t', '   ')

  test('reads what JSON.stringify writes, and every object text means that object', () => {
    const json = fc.json({ maxDepth: 5 }).filter(noOwnProto)
    fc.assert(
      fc.property(json, indents, (text, indent) => {
        const value: unknown = JSON.parse(text)
        const written = JSON.stringify(value, null, indent)
        const read = expectOk(parseRawJson(written))
        expect(read.text).toBe(written)
        expect(plain(read)).toEqual(value)
      }),
    )
  })

  test('the text of a member is a slice that parses to its value', () => {
    const value = fc.jsonValue({ maxDepth: 4 }).filter(noOwnProto)
    fc.assert(
      fc.property(value, value, indents, (before, wanted, indent) => {
        const text = JSON.stringify({ before, wanted, after: [before] }, null, indent)
        const found = member(expectOk(parseRawJson(text)), 'wanted')
        expect(text).toContain(found.text)
        expect(JSON.parse(found.text)).toEqual(JSON.parse(JSON.stringify(wanted)))
      }),
    )
  })

  test('never throws, and accepts no text that JSON.parse refuses', () => {
    const alphabet = fc.constantFrom(...'{}[]:,"\\ue1 -.+aAfnrt/0tfn\n\u0001é'.split(''))
    const near = fc.string({ unit: alphabet, maxLength: 40 })
    fc.assert(
      fc.property(fc.oneof(near, fc.string(), fc.json()), fc.nat(), near, (text, at, extra) => {
        const position = at % (text.length + 1)
        const mutated = text.slice(0, position) + extra + text.slice(position)
        const read = parseRawJson(mutated)
        if (read.ok) expect(() => JSON.parse(mutated)).not.toThrow()
        else expect(JSON_REASONS).toContain(read.failure.reason)
      }),
      { numRuns: 2_000 },
    )
  })
})
