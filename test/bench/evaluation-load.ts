import { deviceIdOf } from '../../src/access/device-id.ts'
import { type Child, startChild } from './child.ts'
import { deviceKeyOf, type Fleet, isDenied } from './fleet.ts'
import type { LoadInput, LoadReport } from './http-load.ts'
import type { Run } from './rounds.ts'

/** Until the compiler has settled: a service runs for weeks, a benchmark for seconds. */
const WARM_UP_SECONDS = 5

/** One that is granted and one that is denied: what the floor answers is looked at no further. */
const GRANTED_INDEX = 0
const DENIED_INDEX = Array.from({ length: 100 }, (_, index) => index).find(isDenied) ?? 0

export type EvaluationLoad = {
  readonly client: Fleet['client']
  /** Each with one request under way. */
  readonly connections: number
  readonly seconds: number
  readonly receipts: boolean
  /** Whether the server is one that decides, and not a floor. */
  readonly decides: boolean
  /** Whether the server is this very process, and can say what it used of the processor. */
  readonly isOneProcess: boolean
}

/** Asks a server that has just been started for decisions, from a process of its own. */
export async function loadEvaluations(server: Child, input: EvaluationLoad): Promise<Run> {
  const { client, connections, seconds, receipts } = input
  const { url } = (await server.next()) as { url: string }
  if (input.decides) await checkDecisions(url, client)
  const load = startChild('http-load.ts', {
    url,
    client,
    connections,
    warmUpSeconds: WARM_UP_SECONDS,
    seconds,
    receipts,
  } satisfies LoadInput)
  try {
    await load.next()
    const before = input.isOneProcess ? await usageOf(server) : undefined
    const report = (await load.next()) as LoadReport
    const details = { p50_ms: report.p50Millis, p99_ms: report.p99Millis }
    const opsPerSecond = report.requests / report.seconds
    if (before === undefined) return { opsPerSecond, details }
    const cpu = ((await usageOf(server)) - before) / report.requests
    return { opsPerSecond, details: { ...details, server_cpu_us: Math.round(cpu * 10) / 10 } }
  } finally {
    await load.stop()
  }
}

/** Microseconds of processor time. */
async function usageOf(server: Child): Promise<number> {
  server.send('usage')
  const { cpuMicros } = (await server.next()) as { cpuMicros: number }
  return cpuMicros
}

/** Fails unless a device is granted and another denied. */
async function checkDecisions(url: string, client: Fleet['client']): Promise<void> {
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
