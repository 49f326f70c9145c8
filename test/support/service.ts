import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { toBase64 } from '../../src/base/encoding.ts'
import { createLog } from '../../src/base/log.ts'
import { httpServices } from '../../src/compose/http.ts'
import { createServices, type Services } from '../../src/compose/services.ts'
import { type Config, type Environment, parseConfig } from '../../src/config/config.ts'
import type { AdminServices } from '../../src/http/admin/services.ts'
import { type App, createApp } from '../../src/http/app.ts'
import { hashClientSecret, newClientSecret } from '../../src/keys/client-secret.ts'
import {
  type MasterSecret,
  type MasterSecrets,
  parseMasterSecret,
} from '../../src/keys/master-secret.ts'
import { type AgentOptions, AttestationAgent } from '../../src/simulator/agent.ts'
import { type KeySource, primeSharingKeys } from '../../src/simulator/key-source.ts'
import {
  type RecordedBoot,
  recordBoot,
  startVirtualDevice,
  type VirtualDevice,
  type VirtualDeviceOptions,
} from '../../src/simulator/virtual-device.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import type { Scope, Store } from '../../src/store/store.ts'
import type { Json } from './json.ts'
import { expectOk } from './refusal.ts'
import type { Query, TestDatabase } from './test-database.ts'

/** The time at which every test of the service starts. */
export const START = new Date('2026-03-02T08:00:00Z')

/** A clock that stands still until it is moved. */
export type TestClock = {
  readonly now: () => Date
  readonly advance: (seconds: number) => void
  readonly set: (time: Date) => void
}

/** The real service in this process, without a socket. */
export type TestService = {
  readonly url: string
  readonly services: Services
  readonly app: App
  readonly clock: TestClock
  readonly query: Query
  /** Every log line since the start, `debug` included. */
  readonly logs: readonly string[]
  /** Names of the store's methods in the order of their calls: each is one statement. */
  readonly calls: string[]
  readonly request: (path: string, init?: TestRequest) => Promise<Response>
  readonly post: (path: string, body: unknown, init?: TestRequest) => Promise<Response>
  /** Headers of a client that has the scopes. */
  readonly as: (...scopes: readonly Scope[]) => Promise<Readonly<Record<string, string>>>
  readonly agentOf: (device: VirtualDevice, options?: Partial<AgentOptions>) => AttestationAgent
}

export type TestRequest = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>> | Headers
  readonly body?: string | ReadableStream | null
}

export type TestServiceOptions = {
  readonly database: TestDatabase
  readonly clock?: TestClock
  readonly env?: Environment
  /** The first seals, all open; one that all services of a run share. */
  readonly secrets?: MasterSecrets
  /** Stands between the service and its store. */
  readonly wrap?: (store: Store) => Store
  /** Takes the lines of the log of decisions, which else go to `logs`. */
  readonly writeDecision?: (line: string) => boolean
  /** As `serve --developer` starts it. */
  readonly developer?: boolean
  /** Puts other services in the place of some. */
  readonly alter?: (services: Services) => Services
  /** The same of what the routes of administrators work with. */
  readonly alterAdmin?: (services: AdminServices) => AdminServices
}

/** All services of a run share one secret, so that several can work on one database. */
const MASTER_SECRET = readSecret()

function readSecret(): MasterSecret {
  const secret = parseMasterSecret(toBase64(randomBytes(32)))
  if (secret === undefined) throw new TypeError('not a master secret')
  return secret
}

export function testClock(start: Date = START): TestClock {
  let time = start.getTime()
  return {
    now: () => new Date(time),
    advance: (seconds) => {
      time += seconds * 1000
    },
    set: (at) => {
      time = at.getTime()
    },
  }
}

export async function createTestService(options: TestServiceOptions): Promise<TestService> {
  const {
    database,
    clock = testClock(),
    env = {},
    wrap = same,
    alter = same,
    alterAdmin = same,
  } = options
  const { secrets = [MASTER_SECRET] } = options
  const config: Config = expectOk(parseConfig({ LOG_LEVEL: 'debug', ...env }))
  const logs: string[] = []
  const calls: string[] = []
  const level = config.logLevel
  const log = createLog({ level, write: (line) => logs.push(line), clock: clock.now })
  const store = recordCalls(wrap(database.store), calls)
  const simulatedHardware = listSimulatorReferenceValues()
  const input = {
    config,
    log,
    store,
    secrets,
    clock: clock.now,
    simulatedHardware,
    writeDecision: options.writeDecision,
    developer: options.developer,
  }
  const services = alter(await createServices(input))
  const http = httpServices(services)
  const app = createApp({ ...http, admin: alterAdmin(http.admin) })
  const route = app.fetch
  app.fetch = (...input) => database.serve(async () => await route(...input))
  const url = config.publicUrl
  const request = async (path: string, init: TestRequest = {}) => {
    const duplex = init.body instanceof ReadableStream ? { duplex: 'half' as const } : {}
    const target = new URL(url).origin + path
    return await app.fetch(new Request(target, { ...init, ...duplex } as RequestInit))
  }
  return {
    url,
    services,
    app,
    clock,
    query: database.query,
    logs,
    calls,
    request,
    post: (path, body, init = {}) => {
      const headers = new Headers(init.headers)
      if (!headers.has('content-type')) headers.set('content-type', 'application/json')
      return request(path, { method: 'POST', body: JSON.stringify(body), ...init, headers })
    },
    as: rememberClients(database.store),
    agentOf: (device, agentOptions) =>
      new AttestationAgent({
        device,
        baseUrl: url,
        now: clock.now,
        fetch: (sent) => app.fetch(sent),
        maxAttempts: 1,
        ...agentOptions,
      }),
  }
}

const same = <T>(value: T): T => value

/** The same store, which writes down the name of each method that is called. */
function recordCalls(store: Store, calls: string[]): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      // What stands between is asked for every use.
      if (name === 'forUse') return () => receiver
      return (...args: unknown[]) => {
        calls.push(String(name))
        return Reflect.apply(member, target, args)
      }
    },
  })
}

let clients = 0

function rememberClients(store: Store): TestService['as'] {
  const known = new Map<string, Promise<Readonly<Record<string, string>>>>()
  return (...scopes) => {
    const key = scopes.join(' ')
    const headers = known.get(key) ?? createClient(store, scopes)
    known.set(key, headers)
    return headers
  }
}

async function createClient(
  store: Store,
  scopes: readonly Scope[],
): Promise<Readonly<Record<string, string>>> {
  clients += 1
  const clientId = `cli_${clients}_${process.pid}_${scopes.join('_')}`
  const secret = newClientSecret(randomBytes(32))
  const secretHash = hashClientSecret(secret)
  await store.createClient({ clientId, name: clientId, secretHash, scopes, by: 'test', now: START })
  return { authorization: basic(clientId, secret) }
}

export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
}

const keys: KeySource = primeSharingKeys()
let machines = 0
let healthyBoot: Promise<RecordedBoot> | undefined

/** A device that has started well, unless told otherwise. */
export async function startDevice(
  options: Partial<Omit<VirtualDeviceOptions, 'keys'>> = {},
): Promise<VirtualDevice> {
  machines += 1
  const machine = `test ${machines}`
  if (options.boot !== undefined) {
    return startVirtualDevice({ name: 'test', machine, keys, ...options })
  }
  healthyBoot ??= recordBoot(keys)
  const recordedBoot = await healthyBoot
  return startVirtualDevice({ name: 'test', machine, keys, recordedBoot, ...options })
}

/** A problem document (RFC 9457) with this code. */
export async function expectProblem(
  answer: Response,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  const problem = (await answer.json()) as Record<string, unknown>
  expect(problem).toMatchObject({ status, code, type: `urn:countersign:problem:${code}` })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  return problem
}

export async function readOk(answer: Response, status = 200): Promise<Json> {
  const text = await answer.text()
  expect(answer.status, text).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/json')
  return JSON.parse(text)
}

/** Everything in the tables that a request could have changed. */
export async function everythingStored(query: Query): Promise<Record<string, unknown>> {
  const tables = [
    'device',
    'spent_nonce',
    'spent_context',
    'attestation',
    'recent_attestation',
    'refusal',
    'audit',
    'outbox',
    'document',
  ]
  const stored: Record<string, unknown> = {}
  for (const table of [...tables, 'active_document']) {
    stored[table] = await query(`select * from ${table} order by 1, 2`)
  }
  return stored
}
