import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWorker } from '../support/wrangler.ts'
import { startChild } from './child.ts'
import type { EdgeServerInput } from './edge-server.ts'
import { loadEvaluations } from './evaluation-load.ts'
import type { Fleet } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds, type Variant } from './rounds.ts'

/** Few, because the local runtime has no pool: each request makes a connection to PostgreSQL. */
const CONNECTIONS = 8

/**
 * AuthZEN evaluation by the built Worker in workerd, against the same by the service on Node, on one
 * PostgreSQL. In production Hyperdrive keeps connections open; here there is nothing in its place.
 */
export async function measureEdgeEvaluation(
  options: BenchOptions,
  fleet: Fleet,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-edge-'))
  try {
    const { script } = await buildWorker(folder)
    const run = (variant: Variant) => runOnce(variant, { options, fleet, script })
    return await runRounds(options.rounds, run, onRound)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runOnce(
  variant: Variant,
  { options, fleet, script }: { options: BenchOptions; fleet: Fleet; script: string },
): Promise<Run> {
  const { environment, client } = fleet
  const server =
    variant === 'path'
      ? startChild('edge-server.ts', { script, environment } satisfies EdgeServerInput)
      : startChild('evaluation-server.ts', { variant: 'path', environment })
  try {
    const { seconds } = options
    const load = { client, connections: CONNECTIONS, seconds, receipts: false, isOneProcess: false }
    return await loadEvaluations(server, { ...load, decides: true })
  } finally {
    await server.stop()
  }
}
