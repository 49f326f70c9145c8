import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect } from 'vitest'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { recordBoot, startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import { launchProgram, runCli, type ServedProcess } from '../cli/cli-process.ts'
import { freePort } from '../support/free-port.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { expectOk } from '../support/refusal.ts'

/** As every process and every agent knows the service. */
export const PUBLIC_URL = 'http://countersign.test'
/** Connections of each process. */
export const POOL_SIZE = 6
const DEVICES = 4
/** `Retry-After` is followed, and not for as long: a fault lasts seconds here. */
const WAIT_MOST_MS = 250

/** Two processes of the service on one PostgreSQL, and devices that attest to either of them. */
export type TwoProcesses = {
  readonly server: Postgres
  /** Of their database. */
  readonly databaseUrl: string
  /** Past the service. */
  readonly query: (text: string) => Promise<readonly Record<string, unknown>[]>
  readonly processes: readonly ServedProcess[]
  readonly urls: readonly string[]
  readonly agents: readonly AttestationAgent[]
  readonly authorization: string
  readonly close: () => Promise<void>
}

export async function startTwoProcesses(): Promise<TwoProcesses> {
  const server = await startPostgres()
  const databaseUrl = await server.createMigrated('service')
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: String(POOL_SIZE),
    SECRET_KEY: randomBytes(32).toString('base64'),
    PUBLIC_URL,
    DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
  }
  const ports = [await freePort(), await freePort()]
  const processes: ServedProcess[] = []
  for (const port of ports) {
    const one = launchProgram('test/faults/serving-process.ts', { ...env, PORT: String(port) })
    processes.push(one)
  }
  for (const one of processes) await one.logged('listening')
  const urls = ports.map((port) => `http://localhost:${port}`)
  const args = ['clients', 'create', '--name', 'pep', '--scope', 'access.evaluate', '--json']
  const { client_id: id, client_secret: secret } = JSON.parse((await runCli(args, env)).stdout)
  const agents = await startAgents(urls)
  for (const agent of agents) expectOk(await agent.attest())
  return {
    ...{ server, databaseUrl, processes, urls, agents },
    query: (text) => queryOnce(databaseUrl, text),
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
    async close() {
      for (const one of processes) await one.end('SIGKILL')
      await server.stop()
    },
  }
}

async function queryOnce(url: string, text: string) {
  const client = new pg.Client({ connectionString: url, application_name: 'witness' })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** Each request goes to the next process, so that an answer that was lost is asked for at the other. */
async function startAgents(urls: readonly string[]): Promise<readonly AttestationAgent[]> {
  const keys = primeSharingKeys()
  const recordedBoot = await recordBoot(keys)
  let turn = 0
  const send = async (request: Request) => {
    const base = urls[turn++ % urls.length] ?? ''
    const { pathname, search } = new URL(request.url)
    const { method, headers, signal } = request
    return fetch(base + pathname + search, { method, headers, signal, body: await request.text() })
  }
  const agents: AttestationAgent[] = []
  for (let index = 0; index < DEVICES; index++) {
    const device = await startVirtualDevice({ name: `device ${index}`, keys, recordedBoot })
    const wait = (ms: number, signal: AbortSignal | undefined) =>
      pause(Math.min(ms, WAIT_MOST_MS), undefined, signal && { signal })
    // The presets of the agent, whose patience counts tries and not seconds.
    const patience = { maxBusyAttempts: 200, timeoutMs: 5000, wait }
    agents.push(new AttestationAgent({ device, baseUrl: PUBLIC_URL, fetch: send, ...patience }))
  }
  return agents
}

/** What was asked while something was wrong, and what came of it. */
export type Traffic = {
  /** Attestations that were recorded before. */
  readonly before: ReadonlySet<string>
  granted: number
  /** 503 with `Retry-After`. */
  later: number
  /** Every other answer to a question, and none. There must be none. */
  readonly wrong: string[]
  readonly acknowledged: string[]
  /** Attestations that an agent gave up. There must be none. */
  readonly lost: string[]
}

/**
 * Lets devices attest and a relying party ask about them at both processes, does something to the
 * database meanwhile, and goes on until each device has attested again after it.
 */
export async function underLoad(
  world: TwoProcesses,
  fault: (traffic: Traffic) => Promise<void>,
): Promise<Traffic> {
  const before = await recordedIds(world)
  const traffic: Traffic = { before, granted: 0, later: 0, wrong: [], acknowledged: [], lost: [] }
  const stop = new AbortController()
  const rounds = new Map<AttestationAgent, number>()
  const loops = [
    ...world.urls.map((url) => askAgain(world, url, traffic, stop.signal)),
    ...world.agents.map((agent) => attestAgain(agent, { traffic, rounds }, stop.signal)),
  ]
  const eachAttested = async (more: number) => {
    const before = new Map(rounds)
    const least = () => world.agents.map((one) => (rounds.get(one) ?? 0) - (before.get(one) ?? 0))
    await expect
      .poll(() => Math.min(...least()), { timeout: 60_000, interval: 20 })
      .toBeGreaterThanOrEqual(more)
  }
  try {
    await eachAttested(1)
    await fault(traffic)
    const granted = traffic.granted
    await eachAttested(2)
    await expect.poll(() => traffic.granted, { timeout: 20_000 }).toBeGreaterThan(granted)
  } finally {
    stop.abort()
    await Promise.all(loops)
  }
  return traffic
}

/** A question about each device in turn. Only what a relying party can act on is right. */
async function askAgain(
  world: TwoProcesses,
  url: string,
  traffic: Traffic,
  signal: AbortSignal,
): Promise<void> {
  const { agents } = world
  for (let turn = 0; !signal.aborted; turn += 1) {
    const id = agents[turn % agents.length]?.device.deviceId ?? ''
    await ask(world, { url, id }).then(
      (answer) => {
        if (answer === 'granted') traffic.granted += 1
        else if (answer === 'later') traffic.later += 1
        else traffic.wrong.push(answer)
      },
      (error) => traffic.wrong.push(String(error)),
    )
    await pause(10)
  }
}

/** `granted`, `later` (503 with a `Retry-After` that is spread over seconds), or what came instead. */
export async function ask(
  { authorization }: Pick<TwoProcesses, 'authorization'>,
  { url, id }: { readonly url: string; readonly id: string },
): Promise<string> {
  const answer = await fetch(`${url}/access/v1/evaluation`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'device', id },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'mail' },
    }),
  })
  const text = await answer.text()
  const wait = Number(answer.headers.get('retry-after'))
  if (answer.status === 503 && wait >= 1 && wait <= 10) return 'later'
  if (answer.status === 200 && JSON.parse(text).decision === true) return 'granted'
  return `${answer.status} ${text}`
}

async function attestAgain(
  agent: AttestationAgent,
  { traffic, rounds }: { traffic: Traffic; rounds: Map<AttestationAgent, number> },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const attested = await agent.attest()
    if (attested.ok) {
      traffic.acknowledged.push(attested.value.attestation_id)
      rounds.set(agent, (rounds.get(agent) ?? 0) + 1)
    } else traffic.lost.push(JSON.stringify(attested.failure))
  }
}

/**
 * Every answer was a decision or 503; no agent gave up; and what the database has since is exactly what
 * was acknowledged: nothing lost, and nothing recorded of which no device was told.
 */
export async function expectNothingLost(world: TwoProcesses, traffic: Traffic): Promise<void> {
  expect(traffic.wrong).toEqual([])
  expect(traffic.lost).toEqual([])
  const recorded = await recordedIds(world)
  const since = [...recorded].filter((id) => !traffic.before.has(id))
  expect(since.sort()).toEqual(traffic.acknowledged.toSorted())
}

async function recordedIds({ query }: Pick<TwoProcesses, 'query'>): Promise<ReadonlySet<string>> {
  const rows = await query('select attestation_id as id from attestation')
  return new Set(rows.map(({ id }) => String(id)))
}

/** So many tokens of one device, each good for one record. */
export async function obtainSubmissions(agent: AttestationAgent, count: number) {
  const submissions: { readonly token: string; readonly nonce: string }[] = []
  for (let index = 0; index < count; index++) {
    const { nonce } = expectOk(await agent.requestChallenge())
    submissions.push({ nonce, token: expectOk(await agent.obtainToken(nonce)) })
  }
  return submissions
}
