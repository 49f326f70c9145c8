import type { ASTNode } from '@marcbachmann/cel-js'
import type { MeasuredAt } from '../../appraisal/claims.ts'
import { FUNCTIONS as CONVERSIONS, METHODS as VALUE_METHODS } from './functions.ts'
import { findMixedRelation, type Literal, problemOfLiteral, signedLiteral } from './literal.ts'
import { LOOPS } from './loops.ts'
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
export type Inspection = {
  /** In the order in which the expression is read; empty for one that may be used. */
  readonly problems: readonly InspectionProblem[]
  readonly roots: ReadonlySet<RootName>
  readonly measuredAt: MeasuredAt | undefined
}

export type InspectionProblem = {
  readonly reason:
    | 'policy_name_unknown'
    | 'policy_expression_type'
    | 'policy_expression_inexact'
    | 'policy_expression_too_complex'
  readonly message: string
  readonly offset: number
  readonly suggestion?: string | undefined
}

/** What has a meaning of ours: see `language/compile.ts`. */
const FUNCTIONS: ReadonlySet<string> = new Set(['has', ...Object.keys(CONVERSIONS)])
const METHODS: ReadonlySet<string> = new Set([
  ...LOOPS.keys(),
  'matches',
  ...Object.keys(VALUE_METHODS),
])

/** Functions of CEL's that are left out, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  dyn: 'would hide its argument from the type check',
  type: 'is left out: compare values, or ask with has() whether one is there',
}

type Scope = {
  readonly loopVariables: ReadonlySet<string>
  readonly roots: Set<RootName>
  readonly measured: Set<MeasuredAt>
  readonly problems: InspectionProblem[]
}

export function inspectExpression(ast: ASTNode): Inspection {
  const scope = createScope()
  inspectRelations(ast, scope)
  inspect(ast, scope)
  const { problems, roots, measured } = scope
  const order: readonly MeasuredAt[] = ['boot', 'resume', 'now']
  return { problems, roots, measuredAt: order.find((when) => measured.has(when)) }
}

/** The declared type of a path that begins with a variable; of anything else, nothing. */
export function typeOfPath(node: ASTNode): string | undefined {
  return declaredTypeOf(node, createScope())
}

function createScope(): Scope {
  return { loopVariables: new Set(), roots: new Set(), measured: new Set(), problems: [] }
}

/**
 * A value of a declared type is only used through its members, so that a list or a loop variable
 * never carries it to where its members are not looked at.
 */
function inspect(node: ASTNode, scope: Scope): void {
  const known = scope.problems.length
  inspectPath(node, scope)
  const type = declaredTypeOf(node, scope)
  const isOpen = type === undefined || POLICY_TYPES[type] === undefined
  if (scope.problems.length > known || isOpen) return
  const message = `${type} can only be used through its members`
  scope.problems.push({ reason: 'policy_expression_type', message, offset: node.start })
}

function inspectPath(node: ASTNode, scope: Scope): void {
  switch (node.op) {
    case 'value':
      inspectLiteral(node, scope, false)
      break
    case '-_': {
      const literal = signedLiteral(node)
      if (literal === undefined) inspect(node.args, scope)
      else inspectLiteral(literal, scope, true)
      break
    }
    case 'id':
      inspectIdentifier(node.args, node, scope)
      break
    case '.':
      inspectPath(node.args[0], scope)
      inspectMember(node, scope)
      break
    case '[]': {
      const [object, index] = node.args
      inspectPath(object, scope)
      inspect(index, scope)
      inspectIndex(node, scope)
      break
    }
    case 'call': {
      const [name, args] = node.args
      const [first] = args
      if (name === 'has' && first !== undefined) {
        inspectPath(first, scope)
        break
      }
      refuseUnknown(name, FUNCTIONS, { node, scope })
      inspectAll(args, scope)
      break
    }
    case 'rcall': {
      const [name, receiver, args] = node.args
      refuseUnknown(name, METHODS, { node, scope })
      inspect(receiver, scope)
      if (LOOPS.has(name)) inspectLoop(args, scope, node)
      else inspectAll(args, scope)
      break
    }
    default:
      // Operators hold one operand, a list of them, or pairs (a map literal).
      inspectAll([node.args].flat(2) as ASTNode[], scope)
  }
}

function inspectLiteral(node: Literal, { problems }: Scope, isSigned: boolean): void {
  const message = problemOfLiteral(node, isSigned)
  if (message === undefined) return
  problems.push({ reason: 'policy_expression_inexact', message, offset: node.start })
}

function inspectRelations({ input }: ASTNode, { problems }: Scope): void {
  const offset = findMixedRelation(input)
  if (offset === undefined) return
  const message = '== and < bind alike in CEL, from the left: write parentheses'
  problems.push({ reason: 'policy_expression_inexact', message, offset })
}

function inspectAll(nodes: readonly ASTNode[], scope: Scope): void {
  for (const node of nodes) inspect(node, scope)
}

function inspectIdentifier(name: string, node: ASTNode, scope: Scope): void {
  if (scope.loopVariables.has(name)) return
  if (isRootName(name)) {
    scope.roots.add(name)
    return
  }
  const message = `there is no variable ${name}`
  const suggestion = suggest(name)
  scope.problems.push({ reason: 'policy_name_unknown', message, offset: node.start, suggestion })
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

function inspectMember(node: Member, scope: Scope): void {
  const [object, name] = node.args
  inspectField({ object, name, offset: node.end - name.length, scope })
}

function inspectIndex(node: Index, scope: Scope): void {
  const [object, index] = node.args
  const type = declaredTypeOf(object, scope)
  if (type === undefined || POLICY_TYPES[type] === undefined) return
  if (index.op === 'value' && typeof index.args === 'string') {
    inspectField({ object, name: index.args, offset: index.start, scope })
    return
  }
  const message = `a member of ${type} must be named by a literal`
  scope.problems.push({ reason: 'policy_expression_type', message, offset: index.start })
}

function inspectField(access: {
  readonly object: ASTNode
  readonly name: string
  readonly offset: number
  readonly scope: Scope
}): void {
  const { object, name, offset, scope } = access
  const type = declaredTypeOf(object, scope)
  const fields = type === undefined ? undefined : POLICY_TYPES[type]
  if (fields === undefined) return
  const field = fieldOf(fields, name)
  if (field === undefined) {
    const suggestion = suggestName(name, Object.keys(fields))
    const message = `${type} has no member ${name}`
    scope.problems.push({ reason: 'policy_name_unknown', message, offset, suggestion })
    return
  }
  if (field.measuredAt !== undefined) scope.measured.add(field.measuredAt)
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

function inspectLoop(args: readonly ASTNode[], scope: Scope, node: ASTNode): void {
  const [variable, ...body] = args
  const offset = (variable ?? node).start
  if (scope.loopVariables.size > 0) {
    const message = 'a loop in a loop is not allowed'
    scope.problems.push({ reason: 'policy_expression_too_complex', message, offset })
    return
  }
  if (variable?.op !== 'id') return
  if (isRootName(variable.args)) {
    const message = `the loop variable hides the variable ${variable.args}`
    scope.problems.push({ reason: 'policy_expression_type', message, offset })
    return
  }
  inspectAll(body, { ...scope, loopVariables: new Set([variable.args]) })
}

function refuseUnknown(
  name: string,
  known: ReadonlySet<string>,
  { node, scope }: { readonly node: ASTNode; readonly scope: Scope },
): void {
  if (known.has(name)) return
  const suggestion = suggestName(name, known)
  const why = Object.hasOwn(LEFT_OUT, name) ? LEFT_OUT[name] : undefined
  const message = why === undefined ? `there is no function ${name}` : `${name} ${why}`
  scope.problems.push({
    reason: 'policy_name_unknown',
    message,
    offset: node.start,
    suggestion,
  })
}
