import type { ASTNode } from '@marcbachmann/cel-js'
import { compileProgram, NO_NAMES } from './compile.ts'
import { readLiteral } from './literal.ts'
import { nameOfType, type Outcome } from './value.ts'

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

/** What a constant expression comes to, by the same rules as in a decision. */
export function evaluateConstant(node: ASTNode): Outcome {
  return compileProgram(node, NO_NAMES)({})
}

/** The same text for the same expression, however it is spaced, and for no other. */
export function nameOf(node: ASTNode): string {
  const { op, args } = node
  if (op === 'value') {
    return `${nameOfType(readLiteral(node.args))}:${JSON.stringify(String(args))}`
  }
  return `(${op} ${([args].flat(3) as (ASTNode | string)[]).map(nameOfArgument).join(' ')})`
}

function nameOfArgument(argument: ASTNode | string): string {
  return typeof argument === 'string' ? argument : nameOf(argument)
}
