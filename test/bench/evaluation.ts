import { startChild } from './child.ts'
import { loadEvaluations } from './evaluation-load.ts'
import type { Fleet } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds, type Variant } from './rounds.ts'

const CONNECTIONS = 32

/**
 * AuthZEN evaluation over HTTP, the service as `serve` runs it, against a bare handler on the same
 * kind of server and the same database. Server and load are a process each.
 */
export function measureEvaluation(
  options: BenchOptions,
  fleet: Fleet,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  return runRounds(options.rounds, (variant) => runOnce(variant, options, fleet), onRound)
}

async function runOnce(variant: Variant, { seconds }: BenchOptions, fleet: Fleet): Promise<Run> {
  const { environment, client } = fleet
  const server = startChild('evaluation-server.ts', { variant, environment })
  try {
    const load = { client, connections: CONNECTIONS, seconds, receipts: false, isOneProcess: true }
    return await loadEvaluations(server, { ...load, decides: variant === 'path' })
  } finally {
    await server.stop()
  }
}
