import type { ASTNode } from '@marcbachmann/cel-js'
import { MAX_OUTCOME_STEPS } from '../limits.ts'
import {
  ABSENT,
  buildFormula,
  FAILS,
  type Formula,
  HOLDS,
  type Mask,
  NONE,
  UNDECIDABLE,
  type Value,
} from './formula.ts'

/** What an expression can come to over all inputs that there can be. */
export type Outcomes = {
  readonly canHold: boolean
  readonly canFail: boolean
  readonly canBeUndecidable: boolean
}

/**
 * What `when` and `require` can come to; `require` only where `when` holds.
 *
 * An expression is taken for a formula over parts that are compared with literals, or not looked
 * into. Each part goes through values that stand for all that it can have: the literals it is
 * compared with and their neighbours. With too many parts for that, they are taken for independent
 * at each place. Either way the answer may allow too much and never too little, so that what cannot
 * happen here happens nowhere.
 */
export function possibleOutcomes(clause: {
  readonly when: ASTNode | undefined
  readonly require: ASTNode
}): { readonly when: Outcomes; readonly require: Outcomes } {
  const whenFormula = clause.when === undefined ? undefined : buildFormula(clause.when)
  const requireFormula = buildFormula(clause.require)
  const parts = new Map<string, Set<Value>>()
  const nodes = gatherParts(whenFormula, parts) + gatherParts(requireFormula, parts)
  let when = NONE
  let require = NONE
  for (const values of assignments(parts, nodes)) {
    const applies = whenFormula === undefined ? HOLDS : evaluate(whenFormula, values)
    when |= applies
    if (applies & HOLDS) require |= evaluate(requireFormula, values)
  }
  return { when: describe(when), require: describe(require) }
}

function describe(mask: Mask): Outcomes {
  return {
    canHold: (mask & HOLDS) !== 0,
    canFail: (mask & FAILS) !== 0,
    canBeUndecidable: (mask & UNDECIDABLE) !== 0,
  }
}

/** Notes the values of every part, and counts the nodes. */
function gatherParts(formula: Formula | undefined, parts: Map<string, Set<Value>>): number {
  if (formula === undefined) return 0
  switch (formula.kind) {
    case 'part': {
      const values = parts.get(formula.part.name) ?? new Set<Value>([ABSENT])
      for (const value of formula.part.values) values.add(value)
      parts.set(formula.part.name, values)
      return 1
    }
    case 'not':
      return 1 + gatherParts(formula.inner, parts)
    case 'if': {
      const branches = gatherParts(formula.yes, parts) + gatherParts(formula.no, parts)
      return 1 + gatherParts(formula.condition, parts) + branches
    }
    case 'fixed':
      return 1
    default:
      return 1 + gatherParts(formula.left, parts) + gatherParts(formula.right, parts)
  }
}

/** Every combination of values, or a single empty one where that would be too much work. */
function* assignments(
  parts: ReadonlyMap<string, ReadonlySet<Value>>,
  nodes: number,
): Generator<ReadonlyMap<string, Value>> {
  const names = [...parts].map(([name, values]) => ({ name, values: [...values] }))
  const combinations = names.reduce((count, { values }) => count * values.length, 1)
  if (combinations * nodes > MAX_OUTCOME_STEPS) {
    yield new Map()
    return
  }
  const assignment = new Map<string, Value>()
  for (let number = 0; number < combinations; number++) {
    let rest = number
    for (const { name, values } of names) {
      assignment.set(name, values[rest % values.length] ?? ABSENT)
      rest = Math.floor(rest / values.length)
    }
    yield assignment
  }
}

function evaluate(formula: Formula, values: ReadonlyMap<string, Value>): Mask {
  switch (formula.kind) {
    case 'fixed':
      return formula.mask
    case 'part': {
      const value = values.get(formula.part.name)
      if (value === ABSENT) return UNDECIDABLE
      if (value !== undefined) return formula.test(value) ? HOLDS : FAILS
      return formula.part.values.reduce<Mask>(
        (mask, one) => mask | (formula.test(one) ? HOLDS : FAILS),
        UNDECIDABLE,
      )
    }
    case 'not':
      return negate(evaluate(formula.inner, values))
    case 'or':
      return either(evaluate(formula.left, values), evaluate(formula.right, values))
    case 'and': {
      const [left, right] = [evaluate(formula.left, values), evaluate(formula.right, values)]
      return negate(either(negate(left), negate(right)))
    }
    case 'if': {
      const condition = evaluate(formula.condition, values)
      const yes = condition & HOLDS ? evaluate(formula.yes, values) : NONE
      const no = condition & FAILS ? evaluate(formula.no, values) : NONE
      return yes | no | (condition & UNDECIDABLE)
    }
  }
}

function negate(mask: Mask): Mask {
  return (mask & HOLDS ? FAILS : NONE) | (mask & FAILS ? HOLDS : NONE) | (mask & UNDECIDABLE)
}

/** CEL's `||`: what holds on one side makes up for an error on the other. */
function either(left: Mask, right: Mask): Mask {
  const holds = (left | right) & HOLDS
  const fails = left & right & FAILS
  const leftOpen = left & UNDECIDABLE && right & (FAILS | UNDECIDABLE)
  const rightOpen = right & UNDECIDABLE && left & (FAILS | UNDECIDABLE)
  return holds | fails | (leftOpen || rightOpen ? UNDECIDABLE : NONE)
}
