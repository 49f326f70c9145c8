import { tests as conformance } from '@bufbuild/cel-spec/testdata/conformance.js'
import { type ASTNode, parse } from '@marcbachmann/cel-js'
import { expect, test } from 'vitest'
import { compileProgram } from '../../../src/policy/language/compile.ts'
import { analyseTree } from '../../../src/policy/language/expression.ts'
import { POLICY_NAMES } from '../../../src/policy/language/names.ts'
import { CelError } from '../../../src/policy/language/value.ts'
import type { Json } from '../../support/json.ts'
import { mapOf, plainOf } from './plain-value.ts'

/**
 * The conformance tests of cel-spec v0.25.1 (google/cel-spec, tests/simple/testdata), as the package
 * @bufbuild/cel-spec carries them. A policy may use a part of CEL. Each test in that part must pass;
 * each other is listed with what keeps it out.
 */
type Case = {
  readonly name: string
  readonly expr: string
  readonly value: Json | undefined
  readonly isError: boolean
  readonly environment: string | undefined
}

type Suite = {
  readonly name: string
  readonly suites?: readonly Suite[]
  readonly tests?: readonly { readonly original: Json }[]
}

function casesOf({ name, suites = [], tests = [] }: Suite, path: readonly string[]): Case[] {
  const place = [...path, name]
  const own = tests.map(({ original }) => ({
    name: [...place.slice(1), original.name].join('/'),
    expr: original.expr as string,
    value: (original.value ?? original.typedResult?.result) as Json | undefined,
    isError: original.evalError !== undefined,
    environment: ['bindings', 'typeEnv', 'container'].find((member) => member in original),
  }))
  return [...own, ...suites.flatMap((suite) => casesOf(suite, place))]
}

/** What no expression of a policy can come to, for want of messages, enums and types as values. */
function expectedOf({ value, isError }: Case): Json {
  if (isError) return { error: true }
  return value === undefined ? { boolValue: true } : value
}

function judge(one: Case): string {
  if (one.environment !== undefined) return `outside  its own ${one.environment}`
  const analysis = analyseTree(one.expr)
  if (analysis.ok) {
    expectRight(one, analysis.ast)
    return 'passed'
  }
  const [{ reason, message }] = analysis.problems
  const [line = ''] = message.split('\n')
  if (!line.startsWith('dyn ') || !expectRightWithoutDyn(one)) return `outside  ${reason}: ${line}`
  return 'passed, without its dyn()'
}

function expectRight(one: Case, ast: ASTNode): void {
  const outcome = compileProgram(ast, POLICY_NAMES)({})
  const actual = outcome instanceof CelError ? { error: true } : plainOf(outcome)
  expect([one.name, one.expr, actual]).toEqual([one.name, one.expr, normalise(expectedOf(one))])
}

/**
 * `dyn` hides its argument from the type check and does nothing else (langdef, "Gradual Type
 * Checking"). Policies have no use for it, and what a caller sends is of no known type either: so
 * these cases show what becomes of that. False where the rest of the expression is outside, too.
 */
function expectRightWithoutDyn(one: Case): boolean {
  const source = one.expr.replaceAll(/\bdyn\(/g, '(')
  const analysis = analyseTree(source)
  const isOutside = !analysis.ok && analysis.problems[0].reason !== 'policy_expression_type'
  if (isOutside || /\b[A-Z]\w*\{|\b(?:google|has)\b/.test(source)) return false
  expectRight(one, parse(source).ast)
  return true
}

/** Protobuf's JSON leaves out what is empty. */
function normalise(value: Json): Json {
  const { mapValue, listValue } = value
  if (listValue) return { listValue: { values: (listValue.values ?? []).map(normalise) } }
  if (!mapValue) return 'doubleValue' in value ? { doubleValue: Number(value.doubleValue) } : value
  const entries = (mapValue.entries ?? []).map((entry: Json) => ({
    key: normalise(entry.key),
    value: normalise(entry.value),
  }))
  return mapOf(entries)
}

test('CEL conformance: whatever compiles means what CEL says, and every case is listed', async () => {
  const cases = casesOf(conformance as Suite, [])
  const listed = cases.map((one) => `${one.name}  ${judge(one)}`)
  expect(cases).toHaveLength(2344)
  expect(listed.filter((line) => line.endsWith('  passed'))).toHaveLength(735)
  expect(listed.filter((line) => line.endsWith('  passed, without its dyn()'))).toHaveLength(172)
  await expect(`${listed.join('\n')}\n`).toMatchFileSnapshot('conformance.txt')
})
