import type { ASTNode } from '@marcbachmann/cel-js'
import { toBase64 } from '../../base/encoding.ts'
import { compileProgram } from './compile.ts'
import { evaluateConstant, isConstant } from './constant-expression.ts'
import { analyseExpression, type Expression } from './expression.ts'
import type { Variables } from './input.ts'
import { POLICY_NAMES } from './names.ts'
import {
  CelError,
  Duration,
  isJsonObject,
  isList,
  MapValue,
  type Outcome,
  Timestamp,
  Uint,
  type Value,
} from './value.ts'

/** One comparison of a clause that does not come out as the clause needs it. */
export type Shortfall = {
  /** What is compared, as it stands in the clause: `attestation.enclaveSvn`. */
  readonly reads: string
  /** The value that the device has, in JSON and cut to a length for people; absent where it has none. */
  readonly actual?: ShownValue
  /** What is needed, in words that follow "needs": `at least 3`, `true`. */
  readonly required: string
}

/** A value of CEL as JSON: times are ISO 8601, durations seconds with an `s`, bytes base64. */
export type ShownValue = null | boolean | number | string | readonly ShownValue[]

const MAX_SHOWN_CHARS = 120
const MAX_SHOWN_ITEMS = 16
const NANOS_OF_MS = 1_000_000n
const NANOS_OF_SECOND = 1_000_000_000n

type Find = (variables: Variables) => readonly Shortfall[]

/** Found again for as long as the compiled clause is kept. */
const kept = new WeakMap<Expression, Find>()

/**
 * The comparisons for which an expression does not hold over these variables, each with the value
 * that is there beside the one that is needed. Empty where it holds. It never throws over its input.
 */
export function findShortfalls(expression: Expression, variables: Variables): readonly Shortfall[] {
  const known = kept.get(expression)
  if (known !== undefined) return known(variables)
  const analysis = analyseExpression(expression.source)
  if (!analysis.ok) throw new TypeError('a compiled expression can be read again')
  const find = compile(analysis.ast, true)
  kept.set(expression, find)
  return find(variables)
}

/** What keeps `node` from coming to `wanted`. */
function compile(node: ASTNode, wanted: boolean): Find {
  switch (node.op) {
    case '!_':
      return compile(node.args, !wanted)
    case '&&':
    case '||': {
      // Where one of several would do, each of them is told.
      const sides = node.args.map((side) => compile(side, wanted))
      return unlessMet(node, wanted, (variables) => sides.flatMap((find) => find(variables)))
    }
    case '?:': {
      const [condition, yes, no] = node.args
      const decide = compileProgram(condition, POLICY_NAMES)
      const branches = [compile(yes, wanted), compile(no, wanted)] as const
      const undecided = opaque(condition, true)
      return (variables) => {
        const holds = decide(variables)
        if (holds === true) return branches[0](variables)
        return holds === false ? branches[1](variables) : undecided(variables)
      }
    }
    default:
      return compileComparison(node, wanted) ?? opaque(node, wanted)
  }
}

function unlessMet(node: ASTNode, wanted: boolean, find: Find): Find {
  const run = compileProgram(node, POLICY_NAMES)
  return (variables) => (run(variables) === wanted ? [] : find(variables))
}

/** What is needed of the left side, by what is to hold between it and the right one. */
const NEEDS: Readonly<Record<string, { readonly words: string; readonly otherwise: string }>> = {
  '==': { words: '', otherwise: '!=' },
  '!=': { words: 'other than ', otherwise: '==' },
  '>=': { words: 'at least ', otherwise: '<' },
  '>': { words: 'more than ', otherwise: '<=' },
  '<=': { words: 'at most ', otherwise: '>' },
  '<': { words: 'less than ', otherwise: '>=' },
  in: { words: 'one of ', otherwise: 'not in' },
  'not in': { words: 'none of ', otherwise: 'in' },
}

const MIRRORED: Readonly<Record<string, string>> = {
  '==': '==',
  '!=': '!=',
  '>=': '<=',
  '>': '<',
  '<=': '>=',
  '<': '>',
}

function compileComparison(node: ASTNode, wanted: boolean): Find | undefined {
  if (!Object.hasOwn(NEEDS, node.op)) return undefined
  const [left, right] = node.args as readonly [ASTNode, ASTNode]
  const mirrored = MIRRORED[node.op]
  const isTurned = mirrored !== undefined && isConstant(left) && !isConstant(right)
  const [subject, object] = isTurned ? [right, left] : [left, right]
  const operator = isTurned ? mirrored : node.op
  const needed = wanted ? operator : (NEEDS[operator]?.otherwise ?? operator)
  const words = NEEDS[needed]?.words ?? ''
  const read = compileProgram(subject, POLICY_NAMES)
  const describe = describeObject(object)
  return unlessMet(node, wanted, (variables) => [
    shortfallOf(subject, read(variables), words + describe(variables)),
  ])
}

/** A constant by its value; anything else by its text and the value that it has. */
function describeObject(node: ASTNode): (variables: Variables) => string {
  if (isConstant(node)) {
    const text = describeShown(show(evaluateConstant(node)))
    return () => text
  }
  const read = compileProgram(node, POLICY_NAMES)
  return (variables) => `${textOf(node)} (${describeShown(show(read(variables)))})`
}

/** What is not looked into: it has to come to `wanted` as a whole. */
function opaque(node: ASTNode, wanted: boolean): Find {
  const read = compileProgram(node, POLICY_NAMES)
  return (variables) => {
    const value = read(variables)
    return value === wanted ? [] : [shortfallOf(node, value, String(wanted))]
  }
}

function shortfallOf(node: ASTNode, value: Outcome, required: string): Shortfall {
  const actual = show(value)
  const cut = required.slice(0, MAX_SHOWN_CHARS)
  return { reads: textOf(node), ...(actual !== undefined && { actual }), required: cut }
}

function textOf({ input, start, end }: ASTNode): string {
  return input.slice(start, end).slice(0, MAX_SHOWN_CHARS)
}

/** In words, for a table or a cell: `absent` where there is no value. */
export function describeShown(value: ShownValue | undefined): string {
  if (value === undefined) return 'absent'
  if (!Array.isArray(value)) return String(value)
  return value.length === 0 ? 'none' : value.map(describeShown).join(', ')
}

function show(value: Outcome): ShownValue | undefined {
  if (value instanceof CelError) return undefined
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (typeof value === 'bigint') return showInteger(value)
  if (typeof value === 'string') return value.slice(0, MAX_SHOWN_CHARS)
  if (isList(value)) return value.slice(0, MAX_SHOWN_ITEMS).map((item) => show(item) ?? null)
  return showObject(value)
}

function showObject(value: Exclude<Value, null | boolean | number | bigint | string>): ShownValue {
  if (value instanceof Uint) return showInteger(value.value)
  if (value instanceof Timestamp) return new Date(Number(value.nanos / NANOS_OF_MS)).toISOString()
  if (value instanceof Duration) return `${Number(value.nanos) / Number(NANOS_OF_SECOND)}s`
  if (value instanceof Uint8Array) return toBase64(value).slice(0, MAX_SHOWN_CHARS)
  if (value instanceof MapValue) return `a map of ${value.entries.size}`
  if (isList(value)) return value.slice(0, MAX_SHOWN_ITEMS).map((item) => show(item) ?? null)
  return isJsonObject(value) ? `a map of ${Object.keys(value).length}` : null
}

function showInteger(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}
