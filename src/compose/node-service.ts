import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ServerType, serve } from '@hono/node-server'
import { createLog, type Log } from '../base/log.ts'
import type { Config } from '../config/config.ts'
import { createApp } from '../http/app.ts'
import { ByteExactResponse } from '../http/byte-exact-response.ts'
import { type MasterSecrets, masterSecretsOf } from '../keys/master-secret.ts'
import { loadOrCreateSecretFile, SECRET_FILE } from '../keys/secret-file.ts'
import { makePartitions } from '../operations/jobs/partitions.ts'
import { reviewUnproven } from '../operations/jobs/review-unproven.ts'
import { openStore } from '../store/drivers/open-store.ts'
import type { Store } from '../store/store.ts'
import { DataDirectoryBusyError } from '../store/store-error.ts'
import { httpServices } from './http.ts'
import { startJobs } from './jobs.ts'
import { createServices, type Services } from './services.ts'

/** A running service. */
export type NodeService = {
  /** Where it listens. */
  readonly url: string
  readonly services: Services
  /** Finishes what is under way, then ends. */
  readonly close: () => Promise<void>
}

/** What is under way gets this long; an orchestrator usually kills after 30 s. */
const DRAIN_MS = 10_000
/** A kept-alive connection would else stay open for seconds after its last answer. */
const LET_GO_EVERY_MS = 50
/** How long a start waits for the data directory: no shorter than another service may drain. */
const OWNER_GONE_MS = 12_000
const OWNER_POLL_MS = 250
/** What follows where a pooler stands before the database. */
const NO_NAMES = {
  consequence: 'statements are not prepared, so each costs the database more',
  remedy: 'connect to PostgreSQL directly, or set DATABASE_PREPARED=off to stop this message',
}
/**
 * A sender that is slower than this holds memory for nothing: head and body of a request together,
 * looked at each few seconds. It is answered 408 and cut off.
 */
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECKS = 6

/** Starts the service on Node. Throws with a message for the operator when it cannot. */
export async function startNodeService(
  config: Config,
  options: {
    readonly clock?: () => Date
    readonly log?: Log
    readonly requestTimeoutMs?: number
    readonly simulatedHardware?: object
  } = {},
): Promise<NodeService> {
  const clock = options.clock ?? (() => new Date())
  const log = options.log ?? createNodeLog(config)
  const secrets = await readMasterSecrets(config)
  const store = await openOwnStore(config, log)
  try {
    await makePartitions({ store, clock, log })
    const services = await createServices({
      ...{ config, log, store, secrets, clock },
      simulatedHardware: options.simulatedHardware,
    })
    await reviewUnproven(services)
    const server = await listen(services, options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS)
    const jobs = startJobs(services)
    const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`
    log.info('listening', { url, public_url: config.publicUrl, database: store.place.kind })
    return { url, services, close: () => shutDown(services, server, jobs) }
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
 * A guest loses its database with the owner's process: good for a command, not for a service. A
 * command that happens to own the directory, or a service that is stopping, is soon done with it.
 */
async function openOwnStore({ database }: Config, log: Log): Promise<Store> {
  const deadline = performance.now() + OWNER_GONE_MS
  for (let tries = 0; ; tries++) {
    const store = await openStore(database, (notice) => log.warn(notice, NO_NAMES))
    const { place } = store
    if (place.kind !== 'directory' || place.role === 'owner') return store
    await store.close()
    if (tries === 0)
      log.warn('data_directory_in_use', { path: place.path, waiting_ms: OWNER_GONE_MS })
    if (performance.now() > deadline) {
      throw new DataDirectoryBusyError(
        `${place.path} is in use by another service: stop it, use another data directory (--data), or PostgreSQL (DATABASE_URL)`,
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

function listen(services: Services, timeoutMs: number): Promise<ServerType> {
  const { host, port } = services.config
  const app = createApp(httpServices(services))
  return new Promise((resolve, reject) => {
    const serverOptions = {
      requestTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      connectionsCheckingInterval: timeoutMs / TIMEOUT_CHECKS,
      ServerResponse: ByteExactResponse,
    }
    const server = serve({ fetch: app.fetch, hostname: host, port, serverOptions }, () =>
      resolve(server),
    )
    server.once('error', reject)
  })
}

async function shutDown(
  services: Services,
  server: ServerType,
  jobs: { readonly stop: () => Promise<void> },
): Promise<void> {
  services.lifecycle.draining = true
  await jobs.stop()
  await closeServer(server, services.log)
  await services.store.close()
  services.log.info('stopped')
}

/** Takes no new connections, and lets go of each open one as soon as nothing is under way on it. */
function closeServer(server: ServerType, log: Log): Promise<void> {
  return new Promise((resolve) => {
    const letGo = setInterval(() => {
      if ('closeIdleConnections' in server) server.closeIdleConnections()
    }, LET_GO_EVERY_MS)
    const force = setTimeout(() => {
      log.warn('connections_cut', { after_ms: DRAIN_MS })
      if ('closeAllConnections' in server) server.closeAllConnections()
    }, DRAIN_MS)
    server.close(() => {
      clearInterval(letGo)
      clearTimeout(force)
      resolve()
    })
  })
}
