import { setDefaultCACertificates } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { httpServices } from '../../src/compose/http.ts'
import { createApp } from '../../src/http/app.ts'
import { type Fleet, openServices, PUBLIC_URL } from './fleet.ts'
import type { Run, Variant } from './rounds.ts'
import { cycleFor, readInput, runConcurrently, say } from './variant.ts'

export type RelayProvider = {
  readonly provider: string
  readonly caPem: string
  readonly accessToken: string
  readonly environment: Readonly<Record<string, string>>
}

export type RelayInput = RelayProvider & {
  readonly variant: Variant
  readonly database: Fleet['environment']
  readonly seconds: number
}

const CONCURRENCY = 16
const WARM_UP_SECONDS = 2
const PATH = '/attest/Tpm?api-version=2020-10-01'
const HEADERS = { 'content-type': 'application/json' }
/** The shortest message: the provider does least for it, so that our part weighs most. */
const BODY = JSON.stringify({
  data: Buffer.from(JSON.stringify({ payload: { type: 'aikcert' } })).toString('base64url'),
})

const input = readInput<RelayInput>()
setDefaultCACertificates([input.caPem])
const send = input.variant === 'path' ? await prepareRelay() : askDirectly
const latencies: number[] = []
await sendFor(WARM_UP_SECONDS)
latencies.length = 0
const cpu = process.cpuUsage()
const begun = performance.now()
await sendFor(input.seconds)
const seconds = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(cpu)
latencies.sort((a, b) => a - b)
say({
  opsPerSecond: latencies.length / seconds,
  details: {
    p50_ms: Math.round((latencies[latencies.length >> 1] ?? NaN) * 100) / 100,
    process_cpu_us: Math.round((user + system) / latencies.length),
  },
} satisfies Run)
process.exit()

async function prepareRelay(): Promise<() => Promise<Response>> {
  const services = await openServices({ ...input.database, ...input.environment })
  const app = createApp(httpServices(services))
  // Makes Response what it is in the running service: an object that costs nothing until it is sent.
  getRequestListener(app.fetch)
  const headers = { ...HEADERS, 'content-length': String(BODY.length) }
  return async () => {
    const request = new Request(PUBLIC_URL + PATH, { method: 'POST', headers, body: BODY })
    return app.fetch(request)
  }
}

function askDirectly(): Promise<Response> {
  const headers = { ...HEADERS, authorization: `Bearer ${input.accessToken}` }
  return fetch(input.provider + PATH, { method: 'POST', headers, body: BODY })
}

function sendFor(time: number): Promise<void> {
  return runConcurrently(CONCURRENCY, {
    next: cycleFor(time, 1),
    async run() {
      const sent = performance.now()
      const answer = await send()
      const { data } = (await answer.json()) as { data?: string }
      if (data === undefined) throw new Error(`the message was answered with ${answer.status}`)
      latencies.push(performance.now() - sent)
    },
  })
}
