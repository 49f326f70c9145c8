import { deviceIdOf } from '../../src/access/device-id.ts'
import { startChild } from './child.ts'
import { deviceKeyOf, type Fleet, isDenied } from './fleet.ts'
import type { LoadInput, LoadReport } from './http-load.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds, type Variant } from './rounds.ts'

const CONNECTIONS = 32
/** Until the compiler has settled: a service runs for weeks, a benchmark for seconds. */
const WARM_UP_SECONDS = 5

/** One that is granted and one that is denied: what the floor answers is looked at no further. */
const GRANTED_INDEX = 0
const DENIED_INDEX = Array.from({ length: 100 }, (_, index) => index).find(isDenied) ?? 0

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

async function runOnce(variant: Variant, options: BenchOptions, fleet: Fleet): Promise<Run> {
  const { environment, client } = fleet
  const server = startChild('evaluation-server.ts', { variant, environment })
  try {
    const { url } = (await server.next()) as { url: string }
    if (variant === 'path') await checkDecisions(url, client)
    const load = startChild('http-load.ts', {
      url,
      client,
      connections: CONNECTIONS,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds: options.seconds,
    } satisfies LoadInput)
    try {
      await load.next()
      server.send('usage')
      const before = (await server.next()) as { cpuMicros: number }
      const report = (await load.next()) as LoadReport
      server.send('usage')
      const after = (await server.next()) as { cpuMicros: number }
      const cpu = (after.cpuMicros - before.cpuMicros) / report.requests
      const details = {
        p50_ms: report.p50Millis,
        p99_ms: report.p99Millis,
        server_cpu_us: Math.round(cpu * 10) / 10,
      }
      return { opsPerSecond: report.requests / report.seconds, details }
    } finally {
      await load.stop()
    }
  } finally {
    await server.stop()
  }
}

/** Fails unless a device is granted and another denied. */
export async function checkDecisions(url: string, client: Fleet['client']): Promise<void> {
  for (const [index, expected] of [
    [GRANTED_INDEX, true],
    [DENIED_INDEX, false],
  ] as const) {
    const answer = await fetch(new URL('/access/v1/evaluation', url), {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        subject: { type: 'device', id: deviceIdOf(deviceKeyOf(index)) },
        action: { name: 'login' },
        resource: { type: 'application', id: 'mail' },
      }),
    })
    const { decision } = (await answer.json()) as { decision: unknown }
    if (decision !== expected) throw new Error(`device ${index} got the decision ${decision}`)
  }
}
