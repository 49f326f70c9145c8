import {
  type ASTNode,
  Environment,
  ParseError,
  TypeError as TypeProblem,
} from '@marcbachmann/cel-js'
import type { MeasuredAt } from '../appraisal/claims.ts'
import { err, ok, type Result } from '../failure.ts'
import { type Variables, VIEWS } from './input.ts'
import { inspectExpression } from './inspect-expression.ts'
import {
  MAX_CALL_ARGUMENTS,
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES,
  MAX_LIST_LITERAL_ITEMS,
} from './limits.ts'
import { PATTERN_ERROR, registerLinearMatches } from './linear-matches.ts'
import { POLICY_TYPES, POLICY_VARIABLES, type RootName } from './variables.ts'

/** A CEL expression that was parsed, type-checked to `bool` and found bounded. */
export type Expression = {
  readonly source: string
  readonly roots: ReadonlySet<RootName>
  /** When the oldest of the measured values that it reads was measured. */
  readonly measuredAt: MeasuredAt | undefined
  /** Throws where a value is absent or has another type than its use needs. */
  readonly evaluate: (variables: Variables) => unknown
}

export const EXPRESSION_REASONS = [
  'policy_expression_syntax',
  'policy_expression_type',
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
    const ctor = VIEWS[name]
    if (ctor === undefined) throw new TypeError(`no view of the type ${name}`)
    const fields: Record<string, string> = {}
    for (const [field, { type }] of Object.entries(declarations)) fields[field] = type
    created.registerType(name, { ctor, fields })
  }
  for (const [name, type] of Object.entries(POLICY_VARIABLES)) created.registerVariable(name, type)
  return registerLinearMatches(created)
}

/**
 * Compiles one expression. Names, types, patterns and bounds are all checked here, so that what a
 * compiled expression can still meet is a value that is absent.
 */
export function compileExpression(source: string): Result<Expression, ExpressionFailure> {
  let program: ReturnType<Environment['parse']>
  try {
    program = environment.parse(source)
  } catch (error) {
    return err(describeError(source, error))
  }
  const inspected = inspectExpression(program.ast)
  if (!inspected.ok) {
    const { reason, message, offset, suggestion } = inspected.problem
    return err({
      reason,
      ...positionOf(source, offset),
      message,
      ...(suggestion !== undefined && { suggestion }),
    })
  }
  const checked = program.check()
  if (!checked.valid) return err(describeError(source, checked.error))
  if (checked.type !== 'bool') return err(describeNotBoolean(source, program.ast, checked.type))
  const { roots, measuredAt } = inspected
  return ok({ source, roots, measuredAt, evaluate: program })
}

const REASON_OF_CODE: Readonly<Record<string, ExpressionFailure['reason']>> = {
  limit_exceeded: 'policy_expression_too_complex',
  [PATTERN_ERROR]: 'policy_pattern_invalid',
  no_matching_overload: 'policy_expression_type',
}

/** The library also throws plain errors, as where two overloads suit an operand of no type. */
function describeError(source: string, error: unknown): ExpressionFailure {
  if (!(error instanceof ParseError || error instanceof TypeProblem)) {
    const message = error instanceof Error ? error.message : String(error)
    return { reason: 'policy_expression_type', line: 1, column: 1, message }
  }
  const otherwise =
    error instanceof ParseError ? 'policy_expression_syntax' : 'policy_expression_type'
  return {
    reason: REASON_OF_CODE[error.code] ?? otherwise,
    ...positionOf(source, error.range?.start ?? 0),
    message: error.summary,
  }
}

function describeNotBoolean(
  source: string,
  ast: ASTNode,
  type: string | undefined,
): ExpressionFailure {
  const position = positionOf(source, ast.start)
  const message = `is ${type ?? 'dyn'}, but must be bool`
  if (type !== 'dyn') return { reason: 'policy_expression_not_boolean', ...position, message }
  const suggestion = `${source} == true`
  return { reason: 'policy_expression_not_boolean', ...position, message, suggestion }
}

function positionOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}
