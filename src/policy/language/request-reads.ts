import { type ASTNode, serialize } from '@marcbachmann/cel-js'
import type { CompiledClause } from '../document/compile.ts'
import { analyseExpression, type Expression } from './expression.ts'
import type { Variables } from './input.ts'
import { LOOPS } from './loops.ts'
import { REQUEST_ROOTS, type RootName } from './variables.ts'

/** What one expression of a clause asks of a request, to be held against questions that were asked. */
export type RequestReads = {
  /**
   * Members that a caller may leave out, from a variable on: `['context', 'network']`. As far as they are
   * named by literals; of a computed index the part before it.
   */
  readonly paths: readonly (readonly string[])[]
  readonly comparisons: readonly RequestComparison[]
}

/** A comparison of something in the request, such as `resource.id == "payroll"`. */
export type RequestComparison = {
  readonly text: string
  /** Whether the two are alike: of `!=` whether it is false. False where it cannot be decided. */
  readonly isMet: (variables: Variables) => boolean
}

/** Of `when` and of `require`; `when` is undefined where the clause has none. */
export function requestReadsOf({ when, require }: CompiledClause): {
  readonly when: RequestReads | undefined
  readonly require: RequestReads
} {
  return { when: when && readsOf(when), require: readsOf(require) }
}

function readsOf({ source }: Expression): RequestReads {
  const analysis = analyseExpression(source)
  if (!analysis.ok) throw new TypeError('a compiled expression compiles')
  const found: Found = { paths: new Map(), comparisons: new Map() }
  collect(analysis.ast, found)
  return { paths: [...found.paths.values()], comparisons: [...found.comparisons.values()] }
}

/** By their texts, so that what stands twice is found once. */
type Found = {
  readonly paths: Map<string, readonly string[]>
  readonly comparisons: Map<string, RequestComparison>
}

const COMPARING: ReadonlySet<string> = new Set(['==', '!=', 'in'])
const COMPARING_METHODS: ReadonlySet<string> = new Set([
  ...['startsWith', 'endsWith', 'contains', 'matches'],
])

function collect(node: ASTNode, found: Found): void {
  const path = pathOf(node)
  if (path !== undefined) {
    if (isOpen(path)) found.paths.set(JSON.stringify(path), path)
    if (node.op === '[]') collect(node.args[1], found)
    return
  }
  if (isComparison(node)) noteComparison(node, found)
  // What a loop asks of each item has no meaning outside of it.
  const isLoop = node.op === 'rcall' && LOOPS.has(node.args[0])
  const parts = isLoop ? [node.args[1]] : partsOf(node)
  for (const part of parts) collect(part, found)
}

function isComparison(node: ASTNode): boolean {
  if (node.op === 'rcall') return COMPARING_METHODS.has(node.args[0])
  return COMPARING.has(node.op)
}

function noteComparison(node: ASTNode, { comparisons }: Found): void {
  const text = serialize(node)
  const compiled = analyseExpression(text)
  // With the variable of a loop, or of a part that has no type of its own, it says nothing alone.
  if (!compiled.ok) return
  const { roots, evaluate } = compiled.expression
  if (![...roots].some((root) => REQUEST_ROOTS.has(root)) || roots.has('attestation')) return
  const alike = node.op !== '!='
  comparisons.set(text, { text, isMet: (variables) => evaluate(variables) === alike })
}

/** The members from a variable of the request on; of anything else, nothing. */
function pathOf(node: ASTNode): readonly string[] | undefined {
  if (node.op === 'id') {
    return REQUEST_ROOTS.has(node.args as RootName) ? [node.args] : undefined
  }
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [object, member] = node.args
  const path = pathOf(object)
  if (path === undefined) return undefined
  if (typeof member === 'string') return [...path, member]
  return member.op === 'value' && typeof member.args === 'string' ? [...path, member.args] : path
}

/** Whether a caller decides if it is there: the declared members of a request are always there. */
function isOpen([root, member, ...more]: readonly string[]): boolean {
  if (root === 'context') return member !== undefined
  return member === 'properties' && more.length > 0
}

function partsOf({ args }: ASTNode): readonly ASTNode[] {
  return ([args].flat(3) as readonly unknown[]).filter(
    (part): part is ASTNode => typeof part === 'object' && part !== null && 'op' in part,
  )
}
