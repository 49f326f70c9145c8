import type { ASTNode } from '@marcbachmann/cel-js'
import type { MeasuredAt } from '../appraisal/claims.ts'
import { suggestName } from './suggest.ts'
import {
  isRootName,
  POLICY_TYPES,
  POLICY_VARIABLES,
  type RootName,
  type TypeFields,
} from './variables.ts'

/**
 * What the library's type check leaves open. It does not look into `has()`, lets an index be
 * computed, lets a loop variable hide a variable, and offers functions whose work or memory is not
 * bounded by the size of the expression and its input (`cel.bind` doubles, loops in loops square).
 */
export type Inspection =
  | {
      readonly ok: true
      readonly roots: ReadonlySet<RootName>
      readonly measuredAt: MeasuredAt | undefined
    }
  | { readonly ok: false; readonly problem: InspectionProblem }

export type InspectionProblem = {
  readonly reason:
    | 'policy_name_unknown'
    | 'policy_expression_type'
    | 'policy_expression_too_complex'
  readonly message: string
  readonly offset: number
  readonly suggestion?: string | undefined
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  'has',
  'size',
  'int',
  'double',
  'string',
  'bool',
  'timestamp',
  'duration',
])

const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])

const METHODS: ReadonlySet<string> = new Set([
  ...LOOPS,
  'size',
  'startsWith',
  'endsWith',
  'contains',
  'matches',
  'lowerAscii',
  'upperAscii',
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
])

type Scope = {
  readonly loopVariables: ReadonlySet<string>
  readonly roots: Set<RootName>
  readonly measured: Set<MeasuredAt>
}

export function inspectExpression(ast: ASTNode): Inspection {
  const scope: Scope = { loopVariables: new Set(), roots: new Set(), measured: new Set() }
  const problem = inspect(ast, scope)
  if (problem !== undefined) return { ok: false, problem }
  const { roots, measured } = scope
  const order: readonly MeasuredAt[] = ['boot', 'resume', 'now']
  return { ok: true, roots, measuredAt: order.find((when) => measured.has(when)) }
}

/**
 * A value of a declared type is only used through its members, so that a list or a loop variable
 * never carries it to where its members are not looked at.
 */
function inspect(node: ASTNode, scope: Scope): InspectionProblem | undefined {
  const problem = inspectPath(node, scope)
  if (problem !== undefined) return problem
  const type = declaredTypeOf(node, scope)
  if (type === undefined || POLICY_TYPES[type] === undefined) return undefined
  const message = `${type} can only be used through its members`
  return { reason: 'policy_expression_type', message, offset: node.start }
}

function inspectPath(node: ASTNode, scope: Scope): InspectionProblem | undefined {
  switch (node.op) {
    case 'value':
      return inspectLiteral(node.args, node)
    case 'id':
      return inspectIdentifier(node.args, node, scope)
    case '.':
      return inspectPath(node.args[0], scope) ?? inspectMember(node, scope)
    case '[]': {
      const [object, index] = node.args
      return inspectPath(object, scope) ?? inspect(index, scope) ?? inspectIndex(node, scope)
    }
    case 'call': {
      const [name, args] = node.args
      const [first] = args
      if (name === 'has' && first !== undefined) return inspectPath(first, scope)
      return refuseUnknown(name, FUNCTIONS, node) ?? inspectAll(args, scope)
    }
    case 'rcall': {
      const [name, receiver, args] = node.args
      const problem = refuseUnknown(name, METHODS, node) ?? inspect(receiver, scope)
      if (problem !== undefined) return problem
      return LOOPS.has(name) ? inspectLoop(args, scope, node) : inspectAll(args, scope)
    }
    default:
      // Operators hold one operand, a list of them, or pairs (a map literal).
      return inspectAll([node.args].flat(2) as ASTNode[], scope)
  }
}

/** No variable is bytes or uint, and the library compares both wrongly with what is equal. */
function inspectLiteral(value: unknown, node: ASTNode): InspectionProblem | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const message = 'bytes and uint literals are not supported'
  return { reason: 'policy_expression_type', message, offset: node.start }
}

function inspectAll(nodes: readonly ASTNode[], scope: Scope): InspectionProblem | undefined {
  for (const node of nodes) {
    const problem = inspect(node, scope)
    if (problem !== undefined) return problem
  }
  return undefined
}

function inspectIdentifier(
  name: string,
  node: ASTNode,
  scope: Scope,
): InspectionProblem | undefined {
  if (scope.loopVariables.has(name)) return undefined
  if (isRootName(name)) {
    scope.roots.add(name)
    return undefined
  }
  const message = `there is no variable ${name}`
  return { reason: 'policy_name_unknown', message, offset: node.start, suggestion: suggest(name) }
}

/** A claim is often written without the variable that it belongs to. */
function suggest(name: string): string | undefined {
  for (const root of ['attestation', 'device'] as const) {
    const fields = POLICY_TYPES[POLICY_VARIABLES[root]]
    if (fields !== undefined && Object.hasOwn(fields, name)) return `${root}.${name}`
  }
  return suggestName(name, Object.keys(POLICY_VARIABLES))
}

type Member = Extract<ASTNode, { op: '.' }>
type Index = Extract<ASTNode, { op: '[]' }>

function inspectMember(node: Member, scope: Scope): InspectionProblem | undefined {
  const [object, name] = node.args
  return inspectField({ object, name, offset: node.end - name.length, scope })
}

function inspectIndex(node: Index, scope: Scope): InspectionProblem | undefined {
  const [object, index] = node.args
  const type = declaredTypeOf(object, scope)
  if (type === undefined || POLICY_TYPES[type] === undefined) return undefined
  if (index.op === 'value' && typeof index.args === 'string') {
    return inspectField({ object, name: index.args, offset: index.start, scope })
  }
  const message = `a member of ${type} must be named by a literal`
  return { reason: 'policy_expression_type', message, offset: index.start }
}

function inspectField(access: {
  readonly object: ASTNode
  readonly name: string
  readonly offset: number
  readonly scope: Scope
}): InspectionProblem | undefined {
  const { object, name, offset, scope } = access
  const type = declaredTypeOf(object, scope)
  const fields = type === undefined ? undefined : POLICY_TYPES[type]
  if (fields === undefined) return undefined
  const field = fieldOf(fields, name)
  if (field === undefined) {
    const suggestion = suggestName(name, Object.keys(fields))
    const message = `${type} has no member ${name}`
    return { reason: 'policy_name_unknown', message, offset, suggestion }
  }
  if (field.measuredAt !== undefined) scope.measured.add(field.measuredAt)
  return undefined
}

/** The declared type of a path such as `attestation.enclave`; of anything else, nothing. */
function declaredTypeOf(node: ASTNode, scope: Scope): string | undefined {
  if (node.op === 'id') {
    const isVariable = isRootName(node.args) && !scope.loopVariables.has(node.args)
    return isVariable ? POLICY_VARIABLES[node.args as RootName] : undefined
  }
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [object, member] = node.args
  const name = typeof member === 'string' ? member : member.op === 'value' ? member.args : undefined
  const fields = POLICY_TYPES[declaredTypeOf(object, scope) ?? '']
  return fields && typeof name === 'string' ? fieldOf(fields, name)?.type : undefined
}

function fieldOf(fields: TypeFields, name: string) {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

function inspectLoop(
  args: readonly ASTNode[],
  scope: Scope,
  node: ASTNode,
): InspectionProblem | undefined {
  const [variable, ...body] = args
  const offset = (variable ?? node).start
  if (scope.loopVariables.size > 0) {
    const message = 'a loop in a loop is not allowed'
    return { reason: 'policy_expression_too_complex', message, offset }
  }
  if (variable?.op !== 'id') return undefined
  if (isRootName(variable.args)) {
    const message = `the loop variable hides the variable ${variable.args}`
    return { reason: 'policy_expression_type', message, offset }
  }
  return inspectAll(body, { ...scope, loopVariables: new Set([variable.args]) })
}

function refuseUnknown(
  name: string,
  known: ReadonlySet<string>,
  node: ASTNode,
): InspectionProblem | undefined {
  if (known.has(name)) return undefined
  const suggestion = suggestName(name, known)
  const message = `there is no function ${name}`
  return { reason: 'policy_name_unknown', message, offset: node.start, suggestion }
}
