import { type ASTNode, serialize } from '@marcbachmann/cel-js'
import { evaluateConstant, isConstant, nameOf } from './constant-expression.ts'
import { typeOfPath } from './inspect-expression.ts'
import { knownValuesOf } from './variables.ts'

/** One bit for each thing that a boolean expression can come to. */
export type Mask = number
export const NONE = 0
export const HOLDS = 1
export const FAILS = 2
export const UNDECIDABLE = 4
export const ANY = HOLDS | FAILS | UNDECIDABLE

/** A value of a part that is compared with literals; `ABSENT` makes what reads it undecidable. */
export type Value = string | bigint | boolean | typeof ABSENT | typeof OTHER
export const ABSENT: unique symbol = Symbol('absent')
/** Any text that no literal names. */
const OTHER: unique symbol = Symbol('other')

/** A boolean expression; `test` says of one value of a part whether it holds. */
export type Formula =
  | { readonly kind: 'fixed'; readonly mask: Mask }
  | { readonly kind: 'part'; readonly part: Part; readonly test: Test }
  | { readonly kind: 'not'; readonly inner: Formula }
  | { readonly kind: 'and' | 'or'; readonly left: Formula; readonly right: Formula }
  | {
      readonly kind: 'if'
      readonly condition: Formula
      readonly yes: Formula
      readonly no: Formula
    }

/** What is compared with literals, or not looked into, and the values that stand for all it has. */
export type Part = { readonly name: string; readonly values: readonly Value[] }

type Test = (value: Value) => boolean

/** Takes an expression that compiles for a formula over its parts. */
export function buildFormula(node: ASTNode): Formula {
  if (isConstant(node)) return { kind: 'fixed', mask: maskOfConstant(node) }
  switch (node.op) {
    case '!_':
      return { kind: 'not', inner: buildFormula(node.args) }
    case '&&':
    case '||': {
      const [left, right] = node.args
      const kind = node.op === '&&' ? 'and' : 'or'
      return { kind, left: buildFormula(left), right: buildFormula(right) }
    }
    case '?:': {
      const [condition, yes, no] = node.args
      const inner = {
        condition: buildFormula(condition),
        yes: buildFormula(yes),
        no: buildFormula(no),
      }
      return { kind: 'if', ...inner }
    }
    default:
      return buildComparison(node) ?? buildOpaque(node)
  }
}

function maskOfConstant(node: ASTNode): Mask {
  const outcome = evaluateConstant(node)
  if (outcome === true) return HOLDS
  return outcome === false ? FAILS : UNDECIDABLE
}

/** A part that is not looked into: it holds, fails or cannot be decided, everywhere alike. */
function buildOpaque(node: ASTNode): Formula {
  const part = { name: nameOf(node), values: [true, false] }
  return { kind: 'part', part, test: (value) => value === true }
}

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}
const REFLEXIVE: ReadonlySet<string> = new Set(['==', '<=', '>='])
/** NaN is not equal to itself, and neither a claim nor JSON is it: only what is computed can be. */
const MAY_TELL_NAN: ReadonlySet<string> = new Set([...REFLEXIVE, '!='])

function isPath(node: ASTNode): boolean {
  if (node.op === 'id') return true
  if (node.op === '[]') return isPath(node.args[0]) && node.args[1].op === 'value'
  return node.op === '.' && isPath(node.args[0])
}

/** `path == literal` and the like, and what is compared with itself. */
function buildComparison(node: ASTNode): Formula | undefined {
  if (node.op === 'in') {
    const [path, list] = node.args
    const literals = list.op === 'list' ? list.args.map(literalOf) : []
    const known = literals.filter((literal) => literal !== undefined)
    if (list.op !== 'list' || known.length < literals.length) return undefined
    return compare(path, known, (value) => known.some((literal) => literal === value))
  }
  if (!Object.hasOwn(MIRRORED, node.op)) return undefined
  const operator = node.op as Comparison
  const [left, right] = node.args as readonly [ASTNode, ASTNode]
  if (nameOf(left) === nameOf(right) && (isPath(left) || !MAY_TELL_NAN.has(operator))) {
    return { kind: 'fixed', mask: (REFLEXIVE.has(operator) ? HOLDS : FAILS) | UNDECIDABLE }
  }
  const literal = literalOf(right)
  if (literal !== undefined) return compare(left, [literal], testOf(operator, literal))
  const mirrored = literalOf(left)
  if (mirrored === undefined) return undefined
  return compare(right, [mirrored], testOf(MIRRORED[operator], mirrored))
}

/** Only parts whose type is declared: of others nothing is known that could be gone through. */
function compare(
  path: ASTNode,
  literals: readonly (string | bigint | boolean)[],
  test: Test | undefined,
): Formula | undefined {
  const type = typeOfPath(path)
  const suits = literals.every((literal) => type === TYPE_OF_LITERAL[typeof literal])
  if (type === undefined || test === undefined || !suits) return undefined
  const name = nameOf(path)
  const known = knownValuesOf(serialize(path))
  if (type === 'bool') return { kind: 'part', part: { name, values: [true, false] }, test }
  if (type === 'string') {
    const values: readonly Value[] = known?.texts ?? [...literals, OTHER]
    return { kind: 'part', part: { name, values }, test }
  }
  const { least, most } = known?.range ?? {}
  const near = literals.flatMap((literal) => {
    return typeof literal === 'bigint' ? [literal - 1n, literal, literal + 1n] : []
  })
  const values = [...near, ...(least === undefined ? [] : [least]), ...(most ? [most] : [])]
  const inRange = values.filter(
    (value) => (least === undefined || value >= least) && (most === undefined || value <= most),
  )
  return { kind: 'part', part: { name, values: inRange }, test }
}

const TYPE_OF_LITERAL: Readonly<Record<string, string>> = {
  string: 'string',
  bigint: 'int',
  boolean: 'bool',
}

function literalOf(node: ASTNode): string | bigint | boolean | undefined {
  if (node.op === '-_' && node.args.op === 'value') {
    return typeof node.args.args === 'bigint' ? -node.args.args : undefined
  }
  if (node.op !== 'value') return undefined
  const { args: value } = node
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean'
    ? value
    : undefined
}

/** Texts are only told apart, not ordered. */
function testOf(operator: Comparison, literal: string | bigint | boolean): Test | undefined {
  if (operator === '==') return (value) => value === literal
  if (operator === '!=') return (value) => value !== literal
  if (typeof literal !== 'bigint') return undefined
  return (value) => {
    if (typeof value !== 'bigint') return false
    if (operator === '<') return value < literal
    if (operator === '<=') return value <= literal
    return operator === '>' ? value > literal : value >= literal
  }
}
