import { type ASTNode, serialize } from '@marcbachmann/cel-js'
import { parseExpression } from './expression.ts'

/** Whether an expression reads nothing but the variable of its own loop. */
export function isConstant(node: ASTNode, loopVariable?: string): boolean {
  const areAll = (nodes: readonly ASTNode[]) => nodes.every((one) => isConstant(one, loopVariable))
  switch (node.op) {
    case 'value':
      return true
    case 'id':
      return node.args === loopVariable
    case '.':
      return isConstant(node.args[0], loopVariable)
    case 'call':
      return areAll(node.args[1])
    case 'rcall': {
      const [, receiver, [first, ...body]] = node.args
      if (!isConstant(receiver, loopVariable)) return false
      // Only loops take two arguments, and the first of them is their variable.
      if (first?.op === 'id' && body.length > 0)
        return body.every((one) => isConstant(one, first.args))
      return first === undefined || areAll([first, ...body])
    }
    default:
      return areAll([node.args].flat(2) as ASTNode[])
  }
}

/**
 * What a constant expression is; an error of its evaluation is no value. The library evaluates the
 * text that it makes of the expression, as long as that means the same expression again.
 */
export function evaluateConstant(
  node: ASTNode,
): { readonly isKnown: true; readonly value: unknown } | { readonly isKnown: false } {
  let program: ReturnType<typeof parseExpression>
  try {
    program = parseExpression(serialize(node))
  } catch {
    return { isKnown: false }
  }
  if (nameOf(program.ast) !== nameOf(node)) return { isKnown: false }
  try {
    return { isKnown: true, value: program({}) }
  } catch {
    return { isKnown: true, value: undefined }
  }
}

/** The same text for the same expression, however it is spaced, and for no other. */
export function nameOf(node: ASTNode): string {
  const { op, args } = node
  if (op === 'value') return `${typeof args}:${JSON.stringify(String(args))}`
  return `(${op} ${([args].flat(3) as (ASTNode | string)[]).map(nameOfArgument).join(' ')})`
}

function nameOfArgument(argument: ASTNode | string): string {
  return typeof argument === 'string' ? argument : nameOf(argument)
}
