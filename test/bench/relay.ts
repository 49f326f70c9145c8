import { runChild, startChild } from './child.ts'
import type { Fleet } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import type { RelayInput, RelayProvider } from './relay-variant.ts'
import { type PathResult, type Round, type Run, runRounds } from './rounds.ts'

/**
 * A message of the TPM protocol through our app, against the same message sent to the provider by a
 * bare fetch that has its token already. The provider, on TLS, is a process of its own.
 */
export async function measureRelay(
  options: BenchOptions,
  fleet: Fleet,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const provider = startChild('relay-provider.ts', null)
  try {
    const told = (await provider.next()) as RelayProvider
    const { environment: database } = fleet
    const { seconds } = options
    const run = (variant: RelayInput['variant']) =>
      runChild<Run>('relay-variant.ts', {
        ...told,
        variant,
        database,
        seconds,
      } satisfies RelayInput)
    return await runRounds(options.rounds, run, onRound)
  } finally {
    await provider.stop()
  }
}
