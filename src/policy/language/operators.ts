import { add, divide, multiply, remainder, subtract } from './arithmetic.ts'
import { equal, isIn, order } from './equality.ts'
import { CelError, type Frame, type Outcome, type Value } from './value.ts'

type Operator = (left: Value, right: Value, frame: Frame) => Outcome

function ordering(operator: string, holds: (order: number) => boolean): Operator {
  return (left, right, frame) => {
    const result = order(operator, left, right, frame)
    return result instanceof CelError ? result : holds(result)
  }
}

/** The operators of two operands that need both of them. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  '==': equal,
  '!=': (left, right, frame) => {
    const isEqual = equal(left, right, frame)
    return typeof isEqual === 'boolean' ? !isEqual : isEqual
  },
  in: isIn,
  '<': ordering('<', (result) => result < 0),
  '<=': ordering('<=', (result) => result <= 0),
  '>': ordering('>', (result) => result > 0),
  '>=': ordering('>=', (result) => result >= 0),
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '%': remainder,
}
