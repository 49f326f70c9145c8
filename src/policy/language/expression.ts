import {
  type ASTNode,
  Environment,
  ParseError,
  TypeError as TypeProblem,
} from '@marcbachmann/cel-js'
import type { MeasuredAt } from '../../appraisal/claims.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  MAX_CALL_ARGUMENTS,
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES,
  MAX_LIST_LITERAL_ITEMS,
} from '../limits.ts'
import { zonesIn } from './clock-readings.ts'
import { compileProgram, type Program } from './compile.ts'
import type { Variables } from './input.ts'
import { inspectExpression } from './inspect-expression.ts'
import { instantsIn } from './instants.ts'
import { PATTERN_ERROR, registerLinearMatches } from './linear-matches.ts'
import { POLICY_NAMES } from './names.ts'
import { CelError, nameOfType } from './value.ts'
import { POLICY_TYPES, POLICY_VARIABLES, type RootName, TIMESTAMP } from './variables.ts'

/** A CEL expression that was parsed, type-checked to `bool` and found bounded. */
export type Expression = {
  readonly source: string
  readonly roots: ReadonlySet<RootName>
  /** When the oldest of the measured values that it reads was measured. */
  readonly measuredAt: MeasuredAt | undefined
  /** The moments that it names, in milliseconds of the epoch (`instantsIn`). */
  readonly instants: readonly number[]
  /** Dates that it names beyond these. */
  readonly datesLeftOut: number
  /** Whether it changes by the clock at no other moment, but for what comes back within a week. */
  readonly namesAllDates: boolean
  /** The time zones in which it asks for hours, days and dates; `undefined` where one is computed. */
  readonly zones: readonly string[] | undefined
  /**
   * Whether it holds; or, as a text, why that cannot be said: a value is absent, or has another
   * type than its use needs. It never throws.
   */
  readonly evaluate: (variables: Variables) => boolean | string
}

export const EXPRESSION_REASONS = [
  'policy_expression_syntax',
  'policy_expression_type',
  'policy_expression_inexact',
  'policy_expression_not_boolean',
  'policy_expression_too_complex',
  'policy_name_unknown',
  'policy_pattern_invalid',
] as const

/** What is wrong with an expression and where: line and column count from 1. */
export type ExpressionFailure = {
  readonly reason: (typeof EXPRESSION_REASONS)[number]
  readonly line: number
  readonly column: number
  readonly message: string
  /** A name that was probably meant. */
  readonly suggestion?: string
}

const DURATION = 'google.protobuf.Duration'

/** Conversions of CEL that the library does not know. */
const MISSING_CONVERSIONS = [
  `int(uint): int`,
  `int(${TIMESTAMP}): int`,
  `string(${TIMESTAMP}): string`,
  `string(${DURATION}): string`,
  `timestamp(${TIMESTAMP}): ${TIMESTAMP}`,
  `duration(${DURATION}): ${DURATION}`,
] as const

/** Parses and checks types. What an expression means is not asked of it: see `language/`. */
const environment = createEnvironment()

function createEnvironment(): Environment {
  const created = new Environment({
    limits: {
      maxAstNodes: MAX_EXPRESSION_NODES,
      maxDepth: MAX_EXPRESSION_DEPTH,
      maxListElements: MAX_LIST_LITERAL_ITEMS,
      maxMapEntries: MAX_LIST_LITERAL_ITEMS,
      maxCallArguments: MAX_CALL_ARGUMENTS,
    },
  })
  for (const [name, declarations] of Object.entries(POLICY_TYPES)) {
    const fields: Record<string, string> = {}
    for (const [field, { type }] of Object.entries(declarations)) fields[field] = type
    created.registerType(name, { ctor: class {}, fields })
  }
  for (const signature of MISSING_CONVERSIONS) created.registerFunction(signature, neverCalled)
  for (const [name, type] of Object.entries(POLICY_VARIABLES)) created.registerVariable(name, type)
  return registerLinearMatches(created)
}

/**
 * Every name that an expression may read a member by, however it is written: members, and texts as
 * they are once their escapes are read, whatever they are for. Undefined for what is no expression.
 */
export function namesIn(source: string): ReadonlySet<string> | undefined {
  const analysis = analyseTree(source)
  if (!analysis.ok) return undefined
  const names = new Set<string>()
  collectNames(analysis.ast, names)
  return names
}

function collectNames({ args }: ASTNode, names: Set<string>): void {
  for (const part of [args].flat(3) as readonly unknown[]) {
    if (typeof part === 'string') names.add(part)
    else if (typeof part === 'object' && part !== null && 'op' in part) {
      collectNames(part as ASTNode, names)
    }
  }
}

function neverCalled(): never {
  throw new TypeError('the library evaluates nothing')
}

/** What is wrong at one place of an expression. */
export type ExpressionProblem = Omit<ExpressionFailure, 'line' | 'column'> & {
  /** In UTF-16 units from the beginning of the expression. */
  readonly offset: number
}

export type ExpressionAnalysis =
  | { readonly ok: true; readonly expression: Expression; readonly ast: ASTNode }
  | {
      readonly ok: false
      readonly problems: readonly [ExpressionProblem, ...ExpressionProblem[]]
    }

/**
 * Compiles one expression. Names, types, patterns and bounds are all checked here, so that what a
 * compiled expression can still meet is a value that is absent.
 */
export function compileExpression(source: string): Result<Expression, ExpressionFailure> {
  const analysis = analyseExpression(source)
  if (analysis.ok) return ok(analysis.expression)
  const { offset, ...problem } = analysis.problems[0]
  return err({ ...problem, ...positionOf(source, offset) })
}

/** Compiles one expression, or tells all that is wrong with it: what is unknown, at each place. */
export function analyseExpression(source: string): ExpressionAnalysis {
  const analysis = analyseTree(source)
  if (!analysis.ok) return analysis
  const { ast, type, roots, measuredAt } = analysis
  if (type !== 'bool') return { ok: false, problems: [describeNotBoolean(source, ast, type)] }
  const evaluate = decide(compileProgram(ast, POLICY_NAMES))
  const { instants, leftOut: datesLeftOut, areAll: namesAllDates } = instantsIn(ast)
  const dates = { instants, datesLeftOut, namesAllDates, zones: zonesIn(ast) }
  const expression = { source, roots, measuredAt, ...dates, evaluate }
  return { ok: true, expression, ast }
}

export type TreeAnalysis =
  | ({ readonly ok: true; readonly ast: ASTNode; readonly type: string } & Pick<
      Expression,
      'roots' | 'measuredAt'
    >)
  | (ExpressionAnalysis & { readonly ok: false })

/** Parses, inspects and checks an expression of any type: what is left may be compiled. */
export function analyseTree(source: string): TreeAnalysis {
  let program: ReturnType<Environment['parse']>
  try {
    program = environment.parse(source)
  } catch (error) {
    return { ok: false, problems: [describeError(error)] }
  }
  const { ast } = program
  const { problems, roots, measuredAt } = inspectExpression(ast)
  const [first, ...others] = problems.map(({ suggestion, ...problem }) => ({
    ...problem,
    ...(suggestion !== undefined && { suggestion }),
  }))
  if (first !== undefined) return { ok: false, problems: [first, ...others] }
  const checked = program.check()
  if (!checked.valid) return { ok: false, problems: [describeError(checked.error)] }
  return { ok: true, ast, type: checked.type ?? 'dyn', roots, measuredAt }
}

/** The type check leaves nothing but booleans; anything else would be an answer we cannot read. */
function decide(run: Program): Expression['evaluate'] {
  return (variables) => {
    const outcome = run(variables)
    if (typeof outcome === 'boolean') return outcome
    if (outcome instanceof CelError) return outcome.message
    return `Is ${nameOfType(outcome)} and not bool`
  }
}

const REASON_OF_CODE: Readonly<Record<string, ExpressionFailure['reason']>> = {
  limit_exceeded: 'policy_expression_too_complex',
  [PATTERN_ERROR]: 'policy_pattern_invalid',
  no_matching_overload: 'policy_expression_type',
}

/** The library also throws plain errors, as where two overloads suit an operand of no type. */
function describeError(error: unknown): ExpressionProblem {
  if (!(error instanceof ParseError || error instanceof TypeProblem)) {
    const message = error instanceof Error ? error.message : String(error)
    return { reason: 'policy_expression_type', offset: 0, message }
  }
  const otherwise =
    error instanceof ParseError ? 'policy_expression_syntax' : 'policy_expression_type'
  return {
    reason: REASON_OF_CODE[error.code] ?? otherwise,
    offset: error.range?.start ?? 0,
    message: error.summary,
  }
}

function describeNotBoolean(source: string, ast: ASTNode, type: string): ExpressionProblem {
  const message = `is ${type}, but must be bool`
  if (type !== 'dyn') return { reason: 'policy_expression_not_boolean', offset: ast.start, message }
  const suggestion = `${source} == true`
  return { reason: 'policy_expression_not_boolean', offset: ast.start, message, suggestion }
}

function positionOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}
