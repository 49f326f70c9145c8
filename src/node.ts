import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type ServerType, serve } from '@hono/node-server'
import { type Config, type Environment, parseConfig } from './config.ts'
import { createApp } from './http/app.ts'
import { startJobs } from './jobs.ts'
import { type MasterSecret, parseMasterSecret } from './keys/master-secret.ts'
import { loadOrCreateSecretFile } from './keys/secret-file.ts'
import { createLog, type Log } from './log.ts'
import { createServices, type Services } from './services.ts'
import { openStore } from './store/open-store.ts'

/** A running service. */
export type NodeService = {
  /** Where it listens. */
  readonly url: string
  readonly services: Services
  /** Finishes what is under way, then ends. */
  readonly close: () => Promise<void>
}

const JOBS_EVERY_MS = 60_000
/** What is under way gets this long; an orchestrator usually kills after 30 s. */
const DRAIN_MS = 10_000

/** Starts the service on Node. Throws with a message for the operator when it cannot. */
export async function startNodeService(
  config: Config,
  options: { readonly clock?: () => Date; readonly log?: Log } = {},
): Promise<NodeService> {
  const clock = options.clock ?? (() => new Date())
  const log = options.log ?? createNodeLog(config)
  const masterSecret = await readMasterSecret(config)
  const store = await openStore(config.database)
  try {
    const services = await createServices({ config, log, store, masterSecret, clock })
    const server = await listen(services)
    const jobs = startJobs(services, { everyMs: JOBS_EVERY_MS })
    const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`
    log.info('listening', { url, public_url: config.publicUrl, database: store.place.kind })
    return { url, services, close: () => shutDown(services, server, jobs) }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The settings of the environment, with files read and a port chosen where it is 0. */
export async function readNodeConfig(environment: Environment): Promise<Config> {
  const parsed = parseConfig(environment)
  if (!parsed.ok) {
    throw new Error(`the configuration has mistakes:\n  ${parsed.failure.mistakes.join('\n  ')}`)
  }
  const file = parsed.value.akTrustAnchorsFile
  const anchors = file === undefined ? environment.AK_TRUST_ANCHORS : readFileSync(file, 'utf8')
  const port = parsed.value.port === 0 ? String(await findFreePort()) : environment.PORT
  const complete = parseConfig({
    ...environment,
    AK_TRUST_ANCHORS: anchors,
    AK_TRUST_ANCHORS_FILE: undefined,
    PORT: port,
  })
  if (complete.ok) return complete.value
  throw new Error(`the configuration has mistakes:\n  ${complete.failure.mistakes.join('\n  ')}`)
}

export function createNodeLog(config: Config): Log {
  return createLog({
    level: config.logLevel,
    write: (line) => process.stdout.write(line),
    clock: () => new Date(),
  })
}

async function readMasterSecret(config: Config): Promise<MasterSecret> {
  if (config.secretKey === undefined) {
    return loadOrCreateSecretFile(join(config.dataDir, 'secret.key'))
  }
  const secret = parseMasterSecret(config.secretKey)
  if (secret === undefined) throw new Error('SECRET_KEY: must be 32 bytes in base64')
  return secret
}

function listen(services: Services): Promise<ServerType> {
  const { host, port } = services.config
  const app = createApp(services)
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(server))
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
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      if ('closeAllConnections' in server) server.closeAllConnections()
    }, DRAIN_MS)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    if ('closeIdleConnections' in server) server.closeIdleConnections()
  })
  await services.store.close()
  services.log.info('stopped')
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
