import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { collectDefaultMetrics } from 'prom-client'
import { createLog, describeFault, type Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Post } from '../base/post.ts'
import type { Tracing } from '../base/tracing.ts'
import { VERSION } from '../base/version.ts'
import type { Config } from '../config/config.ts'
import { describeServer } from '../config/describe-server.ts'
import { createApp } from '../http/app.ts'
import { type MasterSecrets, masterSecretsOf } from '../keys/master-secret.ts'
import { loadOrCreateSecretFile, SECRET_FILE } from '../keys/secret-file.ts'
import { createNodeFetchJson } from '../keysets/fetch-by-node.ts'
import type { FetchJson } from '../keysets/key-sets.ts'
import { type BreakGlassUses, createBreakGlassUses } from '../operations/audit/break-glass-uses.ts'
import { makePartitions } from '../operations/jobs/partitions.ts'
import { claimPublicUrl, yieldPublicUrl } from '../operations/jobs/public-url.ts'
import { recordQuestions } from '../operations/jobs/record-questions.ts'
import { reviewUnproven } from '../operations/jobs/review-unproven.ts'
import { resealHeaders } from '../operations/signals/reseal-headers.ts'
import { createCheckedLookup } from '../receivers/checked-lookup.ts'
import { createNodePost } from '../receivers/push-by-node.ts'
import { openStore } from '../store/drivers/open-store.ts'
import type { StatementLimits, StoreUse } from '../store/drivers/statement-limits.ts'
import type { Store } from '../store/store.ts'
import { DataDirectoryBusyError, storeFaultOf } from '../store/store-error.ts'
import type { Telemetry } from '../telemetry/start-telemetry.ts'
import { beginMetrics } from './begin-metrics.ts'
import { httpServices } from './http.ts'
import { startJobs } from './jobs.ts'
import { createNodeServer, type NodeServer } from './node-server.ts'
import { createServices, type Services } from './services.ts'
import { resealServices } from './signals.ts'
import { answerWithoutDatabase } from './without-database.ts'

/** A running service. */
export type NodeService = {
  /** Where it listens. */
  readonly url: string
  readonly services: Services
  /** Finishes what is under way, then ends. */
  readonly close: () => Promise<void>
}

/** How long a start waits for the data directory: no shorter than another service may drain. */
const OWNER_GONE_MS = 12_000
const OWNER_POLL_MS = 250
/** What may wait for a slow reader of standard output before decisions are left out of it. */
const MAX_WAITING_CHARS = 1024 * 1024
/** What follows where a pooler stands before the database. */
const NO_NAMES = {
  consequence: 'statements are not prepared, so each costs the database more',
  remedy: 'connect to PostgreSQL directly, or set DATABASE_PREPARED=off to stop this message',
}
/** How often a database that is away is looked for, so many times longer each time up to the most. */
const FIRST_LOOK_MS = 500
const LOOK_LONGER = 1.5
const LOOK_MOST_MS = 5000

export type NodeServiceOptions = {
  readonly clock?: () => Date
  readonly log?: Log
  readonly requestTimeoutMs?: number
  readonly simulatedHardware?: object
  /** Whether refusals tell agents all that was compared: for a service that nobody relies on. */
  readonly developer?: boolean
  /** In place of those that the store has for PostgreSQL. */
  readonly statementLimits?: Readonly<Record<StoreUse, StatementLimits>>
  /** Ends a start that still waits for its database. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts the service on Node. While its PostgreSQL is away it answers `/healthz`, `/metrics`, break-glass and 503,
 * and goes on by itself when it comes. Throws with a message for the operator when it cannot start,
 * and the reason of `signal` when that ends the wait.
 */
export async function startNodeService(
  config: Config,
  options: NodeServiceOptions = {},
): Promise<NodeService> {
  const { clock = () => new Date(), log = createNodeLog(config) } = options
  const secrets = await readMasterSecrets(config)
  const server = createNodeServer(config, options.requestTimeoutMs)
  const metrics = beginMetrics()
  // Of the process: CPU, memory, file descriptors, event loop, garbage (`process_*`, `nodejs_*`).
  collectDefaultMetrics({ register: metrics.registry })
  const breakGlassUses = createBreakGlassUses()
  const telemetry = await beginTelemetry(config, { metrics, clock })
  const { tracing } = telemetry
  const begun = { config, log, metrics, breakGlassUses, clock, secrets, server, tracing }
  const start = { ...options, ...begun }
  try {
    const services = await openWhenThere(start)
    const { store } = services
    try {
      server.answer = createApp(httpServices(services)).fetch
      await server.listen()
      const stopListening = await store.listen?.(services.bell.ring)
      const jobs = startJobs(services)
      const { url } = server
      log.info('listening', { url, public_url: config.publicUrl, database: store.place.kind })
      const close = async () => {
        await shutDown(services, server, { jobs, stopListening })
        await telemetry.stop()
      }
      return { url, services, close }
    } catch (error) {
      await store.close()
      throw error
    }
  } catch (error) {
    await server.close(log)
    await telemetry.stop()
    throw error
  }
}

/** Where nobody collects traces or metrics nothing of it is loaded. */
async function beginTelemetry(
  { telemetry: config }: Config,
  { metrics, clock }: { readonly metrics: Metrics; readonly clock: () => Date },
): Promise<Telemetry> {
  if (config === undefined) return { tracing: undefined, stop: async () => {} }
  const { startTelemetry } = await import('../telemetry/start-telemetry.ts')
  const about = { version: VERSION, instance: crypto.randomUUID(), clock }
  return startTelemetry(config, { registry: metrics.registry, ...about })
}

type Start = NodeServiceOptions & {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly breakGlassUses: BreakGlassUses
  readonly clock: () => Date
  readonly secrets: MasterSecrets
  readonly server: NodeServer
  readonly tracing: Tracing | undefined
}

/** The services, as soon as their database is there. */
async function openWhenThere(start: Start): Promise<Services> {
  const { config, log, server, signal } = start
  let wait = FIRST_LOOK_MS
  for (let looks = 1; ; looks += 1) {
    try {
      return await openServices(start)
    } catch (error) {
      const kind = storeFaultOf(error)
      if (config.database.kind !== 'postgres' || kind === undefined) throw error
      if (looks === 1) {
        server.answer = await answerWithoutDatabase(start)
        await server.listen()
      }
      const database = describeServer(config.database.url)
      log.error('waiting_for_database', {
        ...{ ...WAITING, database, kind, looks, ...describeFault(error) },
      })
      await delay(wait, undefined, signal === undefined ? {} : { signal })
      wait = Math.min(wait * LOOK_LONGER, LOOK_MOST_MS)
    }
  }
}

const WAITING = {
  consequence: 'break-glass is answered, and everything else 503',
  remedy: 'start the database, or correct DATABASE_URL',
}

function createPost({ pushPrivateHosts: privateHosts }: Config): Post {
  return createNodePost({ lookup: createCheckedLookup(privateHosts), privateHosts }).post
}

function createFetch({ oauth: { privateHosts } }: Config): FetchJson {
  return createNodeFetchJson({ lookup: createCheckedLookup(privateHosts), privateHosts })
}

async function openServices(start: Start): Promise<Services> {
  const { config, log, metrics, breakGlassUses, clock, secrets } = start
  const { simulatedHardware, developer } = start
  const store = await openOwnStore(start)
  try {
    if (store.place.kind === 'postgres') await claimPublicUrl({ store, config, clock })
    await makePartitions({ store, clock, log })
    const services = await createServices({
      ...{ config, log, metrics, breakGlassUses, store, secrets, clock },
      tracing: start.tracing,
      ...{ simulatedHardware, developer, writeDecision },
      post: createPost(config),
      fetchJson: createFetch(config),
    })
    await reviewUnproven(services)
    await resealHeaders(resealServices(services))
    return services
  } catch (error) {
    await store.close()
    throw error
  }
}

export function createNodeLog(config: Config): Log {
  return createLog({
    level: config.logLevel,
    write: (line) => process.stdout.write(line),
    clock: () => new Date(),
  })
}

/**
 * Node writes to a file at once, and keeps for a pipe in memory what its reader has not taken yet: so much
 * of it and no more.
 */
function writeDecision(line: string): boolean {
  if (process.stdout.writableLength > MAX_WAITING_CHARS) return false
  process.stdout.write(line)
  return true
}

/**
 * A guest loses its database with the owner's process: good for a command, not for a service. A
 * command that happens to own the directory, or a service that is stopping, is soon done with it.
 */
async function openOwnStore({ config, log, statementLimits: limits }: Start): Promise<Store> {
  const { database } = config
  const place = database.kind === 'postgres' && limits ? { ...database, limits } : database
  const deadline = performance.now() + OWNER_GONE_MS
  for (let tries = 0; ; tries++) {
    const store = await openStore(place, (notice) => log.warn(notice, NO_NAMES))
    const { place: found } = store
    if (found.kind !== 'directory' || found.role === 'owner') return store
    await store.close()
    if (tries === 0)
      log.warn('data_directory_in_use', { path: found.path, waiting_ms: OWNER_GONE_MS })
    if (performance.now() > deadline) {
      throw new DataDirectoryBusyError(
        `${found.path} is in use by another service: stop it, use another data directory (--data), or PostgreSQL (DATABASE_URL)`,
      )
    }
    await delay(OWNER_POLL_MS)
  }
}

async function readMasterSecrets(config: Config): Promise<MasterSecrets> {
  const { secretKey, secretKeyPrevious, dataDir } = config
  const current = secretKey ?? (await loadOrCreateSecretFile(join(dataDir, SECRET_FILE)))
  return masterSecretsOf(current, secretKeyPrevious)
}

async function shutDown(
  services: Services,
  server: NodeServer,
  beside: {
    readonly jobs: { readonly stop: () => Promise<void> }
    readonly stopListening: (() => Promise<void>) | undefined
  },
): Promise<void> {
  const { store, log } = services
  services.lifecycle.draining = true
  await beside.jobs.stop()
  await beside.stopListening?.()
  await server.close(log)
  const quick = { ...services, store: store.forUse('decisions') }
  await recordQuestions(quick)
  if (store.place.kind === 'postgres') {
    await yieldPublicUrl(quick).catch((error) => log.warn('not_signed_off', describeFault(error)))
  }
  await store.close()
  log.info('stopped')
}
