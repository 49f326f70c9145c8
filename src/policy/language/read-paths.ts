import type { ASTNode } from '@marcbachmann/cel-js'
import { analyseTree } from './expression.ts'
import { MEMBERS, type Variables } from './input.ts'
import { isRootName, POLICY_TYPES, POLICY_VARIABLES, type RootName } from './variables.ts'

/** A variable and the members that lead on from it: `attestation`, `enclave`, `svn_current`. */
export type ReadPath = readonly [root: RootName, ...members: string[]]

/** What an expression reads, in the order in which it is written. Empty for what is no expression. */
export function pathsIn(source: string): readonly ReadPath[] {
  const analysis = analyseTree(source)
  if (!analysis.ok) return []
  const paths: ReadPath[] = []
  collectPaths(analysis.ast, paths)
  return paths
}

function collectPaths(node: ASTNode, paths: ReadPath[]): void {
  const path = pathOf(node)
  if (path !== undefined) {
    paths.push(path)
    return
  }
  for (const part of [node.args].flat(3) as readonly unknown[]) {
    if (typeof part === 'object' && part !== null && 'op' in part) {
      collectPaths(part as ASTNode, paths)
    }
  }
}

/** A variable and the members that are named by literals; a loop variable hides no variable. */
function pathOf(node: ASTNode): ReadPath | undefined {
  if (node.op === 'id') return isRootName(node.args) ? [node.args] : undefined
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [object, member] = node.args
  const name = typeof member === 'string' ? member : member.op === 'value' ? member.args : undefined
  const path = pathOf(object)
  return path === undefined || typeof name !== 'string' ? undefined : [...path, name]
}

/** What stands at such a path: a text, number, list, time and so on; undefined where nothing does. */
export function valueAt(variables: Variables, [root, ...names]: ReadPath): unknown {
  let type: string | undefined = POLICY_VARIABLES[root]
  let value: unknown = variables[root]
  for (const name of names) {
    if (typeof value !== 'object' || value === null) return undefined
    const read = MEMBERS[type ?? '']?.[name]
    if (read !== undefined) value = read(value as never)
    else value = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
    type = type === undefined ? undefined : POLICY_TYPES[type]?.[name]?.type
  }
  return value ?? undefined
}
