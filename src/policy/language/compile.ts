import type { ASTNode } from '@marcbachmann/cel-js'
import { MAX_EVALUATION_STEPS } from '../limits.ts'
import { negate } from './arithmetic.ts'
import { FUNCTIONS, METHODS, matchPattern } from './functions.ts'
import { compilePattern } from './linear-matches.ts'
import { readLiteral } from './literal.ts'
import { type Fold, filter, itemsOf, LOOPS } from './loops.ts'
import { elementOf, hasMember, mapOfEntries, memberOf, noSuchKey } from './map.ts'
import { OPERATORS } from './operators.ts'
import {
  CelError,
  type Closure,
  COST_EXCEEDED,
  type Frame,
  noOverload,
  type Outcome,
  spend,
  type Value,
} from './value.ts'

/** What the names in an expression stand for. */
export type Names = {
  readonly variable: (name: string) => Closure | undefined
  /**
   * A path whose members are declared, as `attestation.enclave.listed`; of others, nothing. The
   * variable of a loop hides no declared one, so that such a path never begins with it.
   */
  readonly path: (node: ASTNode) => Closure | undefined
  /** Whether the end of such a path is there. */
  readonly presence: (node: ASTNode) => Closure | undefined
}

export const NO_NAMES: Names = {
  variable: () => undefined,
  path: () => undefined,
  presence: () => undefined,
}

/** An expression made ready. It never throws; what has no value gives an error that says why. */
export type Program = (variables: Readonly<Record<string, unknown>>) => Outcome

/**
 * Makes a program of a syntax tree that was parsed, inspected and type-checked: CEL's own meaning
 * (cel-spec, langdef), where the library that parses has JavaScript's. The tree is gone through
 * once, and an evaluation only calls closures.
 */
export function compileProgram(ast: ASTNode, names: Names): Program {
  const evaluate = compile(ast, { names, loopVariable: undefined })
  return (variables) => evaluate({ variables, item: null, steps: MAX_EVALUATION_STEPS })
}

type Scope = { readonly names: Names; readonly loopVariable: string | undefined }

function compile(node: ASTNode, scope: Scope): Closure {
  switch (node.op) {
    case 'value':
      return constant(readLiteral(node.args))
    case 'id':
      return compileIdentifier(node.args, scope)
    case '.':
      return scope.names.path(node) ?? compileMember(node.args[0], node.args[1], scope)
    case '[]':
      return scope.names.path(node) ?? strict(node.args, scope, elementOf)
    case 'call':
      return compileCall(node.args[0], node.args[1], scope)
    case 'rcall':
      return compileMethod(node, scope)
    case 'list':
      return compileList(node.args, scope)
    case 'map':
      return compileMap(node.args, scope)
    case '?:':
      return compileChoice(node.args, scope)
    case '&&':
      return compileLogical(node.args, { scope, decisive: false })
    case '||':
      return compileLogical(node.args, { scope, decisive: true })
    case '!_':
      return unary(node.args, scope, (value) => {
        return typeof value === 'boolean' ? !value : noOverload('!', value)
      })
    case '-_':
      return compileNegation(node.args, scope)
    default:
      return compileOperator(node, scope)
  }
}

function constant(value: Outcome): Closure {
  return () => value
}

function compileIdentifier(name: string, { names, loopVariable }: Scope): Closure {
  if (name === loopVariable) return (frame) => frame.item
  return (
    names.variable(name) ?? constant(new CelError('cel_value_unknown', `Unknown variable: ${name}`))
  )
}

function compileMember(object: ASTNode, name: string, scope: Scope): Closure {
  const absent = noSuchKey(name)
  return unary(object, scope, (value) => memberOf(value, name, absent))
}

function unary(
  operand: ASTNode,
  scope: Scope,
  apply: (value: Value, frame: Frame) => Outcome,
): Closure {
  const read = compile(operand, scope)
  return (frame) => {
    const value = read(frame)
    return value instanceof CelError ? value : apply(value, frame)
  }
}

function strict(
  [first, second]: readonly [ASTNode, ASTNode],
  scope: Scope,
  apply: (left: Value, right: Value, frame: Frame) => Outcome,
): Closure {
  const [readLeft, readRight] = [compile(first, scope), compile(second, scope)]
  return (frame) => {
    const left = readLeft(frame)
    if (left instanceof CelError) return left
    const right = readRight(frame)
    return right instanceof CelError ? right : apply(left, right, frame)
  }
}

function compileCall(name: string, args: readonly ASTNode[], scope: Scope): Closure {
  const [first] = args
  if (name === 'has' && first !== undefined) return compilePresence(first, scope)
  const apply = FUNCTIONS[name]
  if (apply === undefined || first === undefined) {
    throw new TypeError(`compiled without inspection: ${name}()`)
  }
  return unary(first, scope, apply)
}

function compilePresence(node: ASTNode, scope: Scope): Closure {
  const presence = scope.names.presence(node)
  if (presence !== undefined) return presence
  if (node.op !== '.') throw new TypeError('compiled without inspection: has()')
  const [object, name] = node.args
  return unary(object, scope, (value) => hasMember(value, name))
}

function compileMethod(node: Extract<ASTNode, { op: 'rcall' }>, scope: Scope): Closure {
  const [name, receiver, args] = node.args
  const fold = LOOPS.get(name)
  if (fold !== undefined) return compileLoop(fold, node, scope)
  const [first] = args
  if (name === 'matches') {
    const pattern = compilePattern(first)
    return unary(receiver, scope, (text, frame) => matchPattern(text, pattern, frame))
  }
  const apply = METHODS[name]
  if (apply === undefined) throw new TypeError(`compiled without inspection: ${name}()`)
  if (first !== undefined) return strict([receiver, first], scope, apply)
  return unary(receiver, scope, (value, frame) => apply(value, undefined, frame))
}

function compileList(items: readonly ASTNode[], scope: Scope): Closure {
  const reads = items.map((item) => compile(item, scope))
  return (frame) => {
    const values: Value[] = []
    for (const read of reads) {
      const value = read(frame)
      if (value instanceof CelError) return value
      values.push(value)
    }
    return values
  }
}

function compileMap(items: readonly (readonly [ASTNode, ASTNode])[], scope: Scope): Closure {
  const reads = items.map(([key, value]) => [compile(key, scope), compile(value, scope)] as const)
  return (frame) => {
    const entries: (readonly [Value, Value])[] = []
    for (const [readKey, readValue] of reads) {
      const key = readKey(frame)
      if (key instanceof CelError) return key
      const value = readValue(frame)
      if (value instanceof CelError) return value
      entries.push([key, value])
    }
    return mapOfEntries(entries)
  }
}

function compileChoice([first, second, third]: readonly ASTNode[], scope: Scope): Closure {
  if (first === undefined || second === undefined || third === undefined) {
    throw new TypeError('?: has three parts')
  }
  const [condition, yes, no] = [
    compile(first, scope),
    compile(second, scope),
    compile(third, scope),
  ]
  return (frame) => {
    const holds = condition(frame)
    if (holds === true) return yes(frame)
    if (holds === false) return no(frame)
    return holds instanceof CelError ? holds : noOverload('?:', holds)
  }
}

/**
 * langdef, "Logical Operators": what decides on one side makes up for an error on the other. Nothing
 * makes up for an evaluation that costs too much, which ends there.
 */
function compileLogical(
  [first, second]: readonly [ASTNode, ASTNode],
  { scope, decisive }: { readonly scope: Scope; readonly decisive: boolean },
): Closure {
  const [readLeft, readRight] = [compile(first, scope), compile(second, scope)]
  const name = decisive ? '||' : '&&'
  return (frame) => {
    const left = readLeft(frame)
    if (left === decisive) return decisive
    if (left === COST_EXCEEDED) return left
    const right = readRight(frame)
    if (right === decisive || right === COST_EXCEEDED) return right
    if (left instanceof CelError) return left
    if (right instanceof CelError) return right
    const areBools = typeof left === 'boolean' && typeof right === 'boolean'
    return areBools ? !decisive : noOverload(name, left, right)
  }
}

/** The sign belongs to the literal: the least int has no positive counterpart. */
function compileNegation(operand: ASTNode, scope: Scope): Closure {
  if (operand.op === 'value' && typeof operand.args === 'bigint') {
    return constant(-operand.args)
  }
  return unary(operand, scope, negate)
}

function compileOperator(node: ASTNode, scope: Scope): Closure {
  const apply = OPERATORS[node.op]
  if (apply === undefined) throw new TypeError(`compiled without inspection: ${node.op}`)
  return strict(node.args as [ASTNode, ASTNode], scope, apply)
}

/** `receiver.all(variable, body)`, and `receiver.map(variable, condition, body)`. */
function compileLoop(
  fold: Fold,
  { args: [name, receiver, [variable, ...bodies]] }: Extract<ASTNode, { op: 'rcall' }>,
  scope: Scope,
): Closure {
  const last = bodies.at(-1)
  if (variable?.op !== 'id' || last === undefined) {
    throw new TypeError(`compiled without inspection: ${name}()`)
  }
  const inner: Scope = { ...scope, loopVariable: variable.args }
  const read = compile(receiver, scope)
  const condition = bodies.length > 1 && bodies[0] ? compile(bodies[0], inner) : undefined
  const body = compile(last, inner)
  const stepsOfTurn = bodies.reduce((sum, one) => sum + countNodes(one), 0)
  return (frame) => {
    const range = read(frame)
    if (range instanceof CelError) return range
    const items = itemsOf(range)
    if (items === undefined) return noOverload(name, range)
    const over = spend(frame, items.length * stepsOfTurn)
    if (over !== undefined) return over
    const chosen = condition === undefined ? items : filter(items, condition, frame)
    return chosen instanceof CelError ? chosen : fold(chosen, body, frame)
  }
}

function countNodes(node: ASTNode): number {
  const parts = ([node.args].flat(3) as unknown[]).filter(
    (part): part is ASTNode => typeof part === 'object' && part !== null && 'op' in part,
  )
  return parts.reduce((sum, part) => sum + countNodes(part), 1)
}
