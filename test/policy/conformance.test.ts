import { expect, test } from 'vitest'
import { compileExpression } from '../../src/policy/expression.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

type Case = {
  readonly expr: string
  readonly value?: Readonly<Record<string, unknown>>
  readonly evalError?: unknown
  readonly bindings?: unknown
  readonly typeEnv?: unknown
  readonly container?: unknown
}

const FILES = [
  'comparisons',
  'conversions',
  'integer_math',
  'fp_math',
  'lists',
  'logic',
  'macros',
  'string',
  'timestamps',
  'fields',
]

/** Where the library is not CEL and a policy is not harmed. */
const DEVIATIONS: ReadonlySet<string> = new Set([
  // An error, so undecidable: keys of maps are strings in everything that we bind.
  "{6: 'six', 7: 'seven', 8: 'eight'}.exists_one(foo, foo % 5 == 2)",
  // Times have milliseconds, as do all that we bind.
  "timestamp('0001-01-01T00:00:01.999999999Z') + duration('999999999ns') == timestamp('0001-01-01T00:00:02.999999998Z')",
  '{null:false}[null]',
])

/** The part of CEL's own conformance tests that compiles here: boolean, typed, without bindings. */
describeVectors('CEL conformance', () => {
  test.each(FILES)('%s: what compiles means what CEL says', (file) => {
    const { section } = vectorJson(`cel/${file}.json`) as { section: { test: Case[] }[] }
    let compared = 0
    for (const { expr, value, evalError, ...rest } of section.flatMap(({ test: cases }) => cases)) {
      if (rest.bindings || rest.typeEnv || rest.container || DEVIATIONS.has(expr)) continue
      const compiled = compileExpression(expr)
      if (!compiled.ok) continue
      const expected = evalError ? 'error' : (value?.boolValue ?? false)
      expect([expr, evaluate(compiled.value.evaluate)]).toEqual([expr, expected])
      compared += 1
    }
    expect(compared).toBeGreaterThan(0)
  })
})

function evaluate(program: (variables: Record<string, unknown>) => unknown): unknown {
  try {
    return program({})
  } catch {
    return 'error'
  }
}
