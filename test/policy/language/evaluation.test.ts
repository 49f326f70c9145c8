import { describe, expect, test } from 'vitest'
import { compileProgram } from '../../../src/policy/language/compile.ts'
import { analyseTree, compileExpression } from '../../../src/policy/language/expression.ts'
import { bindVariables, type RequestFacts } from '../../../src/policy/language/input.ts'
import { POLICY_NAMES } from '../../../src/policy/language/names.ts'
import { CelError, type EvaluationReason } from '../../../src/policy/language/value.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'

/**
 * What neither the conformance tests nor the other implementation can show: where that one is not
 * CEL, what is bounded here, and what of a decision must not depend on the process that makes it.
 */
const LATE = new Date('9999-12-31T23:30:00Z')
const entity = { type: 't', id: 'i', properties: {} }

function evaluate(source: string, context: Record<string, unknown> = {}): boolean | string {
  const request: RequestFacts = {
    subject: entity,
    resource: entity,
    action: { name: 'n', properties: {} },
    context,
  }
  const variables = bindVariables({ request, now: new Date('2026-03-29T02:30:00Z') })
  return expectOk(compileExpression(source)).evaluate(variables)
}

function expectError(source: string, reason: EvaluationReason, context = {}): void {
  const analysis = analyseTree(source)
  if (!analysis.ok) expect.fail(`${source}: ${analysis.problems[0].message}`)
  const outcome = compileProgram(analysis.ast, POLICY_NAMES)({ context, now: LATE })
  if (!(outcome instanceof CelError)) expect.fail(`${source} has a value`)
  expect([source, outcome.reason]).toEqual([source, reason])
  noteReason(reason)
}

const CALENDAR = [
  'now.getHours() == 2 && now.getMinutes() == 30 && now.getDate() == 29',
  // Half past two was left out in Berlin on that day, and half past one was twice in New York.
  'now.getHours("Europe/Berlin") == 4 && now.getHours("America/New_York") == 22',
  'timestamp("2026-11-01T05:30:00Z").getHours("America/New_York") == 1',
  'timestamp("2026-11-01T06:30:00Z").getHours("America/New_York") == 1',
  'now.getDayOfYear() == 87 && now.getDayOfWeek() == 0 && now.getDayOfYear("+14:00") == 87',
  // Samoa had no 30th of December, and zones were told to the second once.
  'timestamp("2011-12-30T12:00:00Z").getDate("Pacific/Apia") == 31',
  'timestamp("1883-11-18T16:00:00Z").getSeconds("America/New_York") == 58',
  'timestamp("0001-01-01T00:00:00Z").getFullYear() == 1',
  'timestamp("0001-01-01T00:00:00Z").getFullYear("-00:01") == 0',
]

describe('what has no value says why', () => {
  test.each<readonly [EvaluationReason, string]>([
    ['cel_no_such_key', 'context.absent'],
    ['cel_no_such_key', '{"a": 1}["b"]'],
    ['cel_no_such_key', 'context["constructor"]'],
    ['cel_no_such_key', 'context.__proto__'],
    ['cel_no_such_overload', 'context.text + 1.0'],
    ['cel_no_such_overload', 'context.number + 1'],
    ['cel_no_such_overload', '!context.text'],
    ['cel_no_such_overload', '!!context.list'],
    ['cel_no_such_overload', 'context.text ? 1 : 2'],
    ['cel_no_such_overload', 'context.text && true'],
    ['cel_no_such_overload', 'context.number.all(x, true)'],
    ['cel_no_such_overload', 'has(context.text.member)'],
    ['cel_no_such_overload', 'context.list.name'],
    ['cel_value_unknown', 'device.ring'],
    ['cel_value_invalid', 'size(context.half)'],
    ['cel_value_invalid', 'context.half < "a"'],
    ['cel_value_invalid', 'context.half.matches("a")'],
    ['cel_value_invalid', 'bytes(context.half)'],
    ['cel_conversion_invalid', 'int("")'],
    ['cel_conversion_invalid', 'uint("+1")'],
    ['cel_conversion_invalid', 'double("0x10")'],
    ['cel_conversion_invalid', 'bool("yes")'],
    ['cel_conversion_invalid', 'string(b"\\xff")'],
    ['cel_conversion_invalid', 'duration("")'],
    ['cel_conversion_invalid', 'duration("-")'],
    ['cel_conversion_invalid', 'duration("h")'],
    ['cel_conversion_invalid', 'timestamp("2026-02-30T00:00:00Z")'],
    ['cel_conversion_invalid', 'timestamp("2026-01-01T23:59:60Z")'],
    ['cel_out_of_range', '9223372036854775807 + 1'],
    ['cel_out_of_range', '--9223372036854775808'],
    ['cel_out_of_range', '-9223372036854775808 / -1'],
    ['cel_out_of_range', '0u - 1u'],
    ['cel_out_of_range', 'int(1e30)'],
    ['cel_out_of_range', 'double("1e999")'],
    ['cel_out_of_range', 'now + duration("1h") > now'],
    ['cel_division_by_zero', '1 / 0'],
    ['cel_division_by_zero', '1u % 0u'],
    ['cel_index_out_of_bounds', 'context.list[3]'],
    ['cel_index_out_of_bounds', 'context.list[-1]'],
    ['cel_map_key_invalid', '{"a": 1, "a": 2}'],
    ['cel_map_key_invalid', '{1.5: 1}'],
    ['cel_time_zone_unknown', 'timestamp(0).getHours("Mars/Olympus")'],
    ['cel_time_zone_unknown', 'timestamp(0).getHours("+1:00")'],
  ])('%s: %s', (reason, source) => {
    expectError(source, reason, { text: 'a', number: 1, list: [1, 2], half: 'a\ud800' })
  })

  test('and what decides beside it makes up for it', () => {
    expect(evaluate('int("") == 0 || true')).toBe(true)
    expect(evaluate('false && int("") == 0')).toBe(false)
    expect(evaluate('[0, 1].exists(x, 1 / x == 1)')).toBe(true)
    expect(evaluate('int("") == 0')).toBe('"" is no int')
  })
})

describe('JSON is what langdef makes of it', () => {
  test.each([
    ['a number is a double', 'context.n == 5.0 && context.n == 5 && context.n < 5.5', { n: 5 }],
    ['so that it can be made an int', 'int(context.n) + 1 == 6', { n: 5.9 }],
    ['minus zero is zero', 'context.n == 0 && string(context.n) == "0"', { n: -0 }],
    [
      'beyond 2^53 it is the nearest double',
      'context.n == 9007199254740992',
      JSON.parse('{"n": 9007199254740993}'),
    ],
    ['null is there', 'has(context.n) && context.n == null', { n: null }],
    ['null is nothing else', '!(context.n == 0) && context.n != ""', { n: null }],
    ['a member may have any name', 'context["__proto__"] == 1', JSON.parse('{"__proto__": 1}')],
    [
      'lists and maps are equal by value',
      'context.a == context.b',
      { a: [{ x: [1] }], b: [{ x: [1] }] },
    ],
  ])('%s', (_name, source, context) => {
    expect(evaluate(source, context)).toBe(true)
  })
})

test('the calendar is that of the zone that is asked for', () => {
  for (const source of CALENDAR) expect([source, evaluate(source)]).toEqual([source, true])
})

describe('an evaluation is bounded', () => {
  const many = Array.from({ length: 300_000 }, (_, at) => at)

  test.each([
    ['a long list', 'context.many.all(x, x >= 0.0 && x != -1.0)', { many }],
    ['doubling of texts', `context.a${'.map(e, e + e)'.repeat(20)}.size() == 1`, { a: ['ab'] }],
    ['doubling of lists', `[[1]]${'.map(e, e + e)'.repeat(20)}.size() == 1`, {}],
    [
      'many long texts in one',
      'context.a.contains(context.b)',
      { a: 'a'.repeat(90_000), b: 'a'.repeat(45_000) },
    ],
    ['comparing what is deep', 'context.a == context.b', { a: deep(100_000), b: deep(100_000) }],
    ['comparing what is shared', `${nest(20)} == ${nest(20)}`, {}],
  ])('%s', (_name, source, context) => {
    expect(evaluate(source, context)).toBe('The evaluation takes too many steps')
    expectError(source, 'cel_cost_exceeded', context)
  })

  const text = 'a'.repeat(60_000)
  const map = Object.fromEntries(many.slice(0, 5000).map((at) => [`k${at}`, at]))
  const looked = { few: many.slice(0, 5000), text, other: `${text.slice(1)}b`, map, small: {} }

  test.each([
    'context.text.startsWith(context.text)',
    'context.text.endsWith(context.text)',
    'context.text != context.other',
    'context.text <= context.other',
    'context.text.contains("b") == false',
    'context.map != context.small',
    'size(context.map) > 0',
  ])('whatever is looked through in each turn of a loop: %s', (body) => {
    expectError(`context.few.all(x, ${body})`, 'cel_cost_exceeded', looked)
  })

  test.each([
    ['the other side of an operator', 'context.few.all(x, BODY) || true'],
    ['the other side of two', '(context.absent || context.few.all(x, BODY)) || true'],
    ['a later element', 'context.few.exists(x, BODY && x == 4999.0 || x == 4999.0)'],
  ])('and nothing makes up for it: %s', (_name, source) => {
    const body = 'context.text.startsWith(context.text)'
    expectError(source.replace('BODY', body), 'cel_cost_exceeded', looked)
  })

  test('and what is large is no reason to throw', () => {
    const big = 'é'.repeat(200_000)
    expect(evaluate('size(bytes(context.big) + b"a") == 400001', { big })).toBe(true)
    expect(evaluate('context.big == context.copy', { big, copy: `${big}` })).toBe(true)
    const cause = evaluate('context[context.big] == 1', { big: `\0\ud800${big}` })
    expect(cause).toMatch(/^No such key: "\\u0000\\ud800é{38}"$/)
  })

  test('as it is everywhere else: the same input costs the same', () => {
    const sized = (length: number) => ({ many: many.slice(0, length) })
    const source = 'context.many.all(x, x >= 0.0)'
    expect(evaluate(source, sized(333_333))).toBe(true)
    expect(evaluate(source, { many: [...many, ...many] })).toMatch('too many steps')
  })
})

function deep(levels: number): unknown {
  return JSON.parse('['.repeat(levels) + ']'.repeat(levels))
}

/** A list of lists whose parts are shared: small in memory, and large to go through. */
function nest(depth: number): string {
  return `[1]${'.map(e, [e, e])'.repeat(depth)}`
}
