import fc from 'fast-check'
import { expect, test } from 'vitest'
import { analyseTree } from '../../../src/policy/expression.ts'
import { compileProgram } from '../../../src/policy/language/compile.ts'
import { POLICY_NAMES } from '../../../src/policy/language/names.ts'
import { CelError } from '../../../src/policy/language/value.ts'
import { expression, values } from './expressions.ts'
import { evaluateElsewhere } from './other-cel.ts'
import { plainOf } from './plain-value.ts'

/** `CEL_RUNS=100000` for a long look; each of its runs has another seed than these. */
const RUNS = Number(process.env.CEL_RUNS ?? 10_000)

test('no expression means anything else than in @bufbuild/cel, errors included', () => {
  const seen = { compiled: 0, errors: 0 }
  fc.assert(
    fc.property(expression, values, (source, variables) => {
      const analysis = analyseTree(source)
      if (!analysis.ok) return
      const outcome = compileProgram(analysis.ast, POLICY_NAMES)(variables)
      const ours = outcome instanceof CelError ? { error: true } : plainOf(outcome)
      seen.compiled += 1
      if (outcome instanceof CelError) seen.errors += 1
      expect({ source, is: ours }).toEqual({ source, is: evaluateElsewhere(source, variables) })
    }),
    { numRuns: RUNS, seed: 20_261_127 },
  )
  // Else the generator would show nothing.
  expect(seen.compiled).toBeGreaterThan(RUNS * 0.5)
  expect(seen.errors).toBeGreaterThan(RUNS * 0.05)
  expect(seen.errors).toBeLessThan(seen.compiled * 0.6)
})
