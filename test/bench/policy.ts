import { runChild } from './child.ts'
import type { BenchOptions } from './options.ts'
import type { PolicyBenchInput } from './policy-variant.ts'
import { type PathResult, type Round, type Run, runRounds } from './rounds.ts'

const WARM_UP_SECONDS = 1

/** The clauses of the baseline policy, against the same evaluated by the library that parses them. */
export async function measurePolicy(
  { rounds, seconds }: BenchOptions,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const run = (variant: PolicyBenchInput['variant']) => {
    const input = { variant, warmUpSeconds: WARM_UP_SECONDS, seconds }
    return runChild<Run>('policy-variant.ts', input satisfies PolicyBenchInput)
  }
  return runRounds(rounds, run, onRound)
}
