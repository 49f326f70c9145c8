import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileProgram } from '../../../src/policy/language/compile.ts'
import { analyseTree } from '../../../src/policy/language/expression.ts'
import { POLICY_NAMES } from '../../../src/policy/language/names.ts'
import { CelError } from '../../../src/policy/language/value.ts'
import { expression, values } from './expressions.ts'
import { evaluateElsewhere } from './other-cel.ts'
import { plainOf } from './plain-value.ts'

/** `CEL_RUNS=100000 CEL_SEED=1` for a longer look at others than these. */
const RUNS = Number(process.env.CEL_RUNS ?? 10_000)
const SEED = Number(process.env.CEL_SEED ?? 20_261_127)
const TIMEOUT_MS = 60_000 + RUNS * 10

test(
  'no expression means anything else than in @bufbuild/cel, errors included',
  () => {
    const seen = { compiled: 0, errors: 0 }
    fc.assert(
      fc.property(expression, values, (source, variables) => {
        const analysis = analyseTree(source)
        if (!analysis.ok) return
        const outcome = compileProgram(analysis.ast, POLICY_NAMES)(variables)
        const ours = outcome instanceof CelError ? { error: true } : plainOf(outcome)
        seen.compiled += 1
        if (outcome instanceof CelError) seen.errors += 1
        const theirs = evaluateElsewhere(source, variables)
        // An assertion takes longer than all of the rest.
        if (!isDeepStrictEqual(ours, theirs))
          expect({ source, ours }).toEqual({ source, ours: theirs })
      }),
      { numRuns: RUNS, seed: SEED },
    )
    // Else the generator would show nothing.
    expect(seen.compiled).toBeGreaterThan(RUNS * 0.5)
    expect(seen.errors).toBeGreaterThan(RUNS * 0.05)
    expect(seen.errors).toBeLessThan(seen.compiled * 0.6)
  },
  TIMEOUT_MS,
)
