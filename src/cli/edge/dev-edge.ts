import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toBase64, toBase64Url } from '../../base/encoding.ts'
import { ensureDocuments } from '../../compose/first-documents.ts'
import { type Config, SETTING_NAMES } from '../../config/config.ts'
import { readNodeConfig } from '../../config/node-config.ts'
import { provesHardware } from '../../config/trust-anchors.ts'
import { NODE_ONLY } from '../../config/worker-config.ts'
import { loadOrCreateSecretFile } from '../../keys/secret-file.ts'
import { listSimulatorReferenceValues } from '../../simulator/virtual-enclave.ts'
import { ownEmbeddedDatabase } from '../../store/drivers/embedded.ts'
import { listenForPostgres } from '../../store/drivers/embedded-socket.ts'
import { openStore } from '../../store/drivers/open-store.ts'
import { checkPostgres, migratePostgres } from '../../store/system/migrate.ts'
import { explainFault } from '../framework/explain-fault.ts'
import { listenForStop } from '../framework/signals.ts'

/*
 * `npm run dev:edge`: the Worker in its own runtime on this machine, with nothing to set up. All
 * settings of the service work, with PORT 8787 where none is given. Without DATABASE_URL it uses the
 * embedded database of DATA_DIR, in which other commands work meanwhile.
 */

const DEFAULT_PORT = '8787'
/** wrangler wants one even where the server does not. */
const ANY_PASSWORD = 'unused'
const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const WRANGLER = join(PROJECT, 'node_modules/wrangler/bin/wrangler.js')
/** Nothing is looked up or reported anywhere while developing. */
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  X_LOCAL_OBSERVABILITY: 'false',
}

const stop = listenForStop()

process.exitCode = await main().catch((error) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return 1
})

async function main(): Promise<number> {
  const config = await readNodeConfig({ PORT: DEFAULT_PORT, ...process.env })
  const database = await openDatabase(config).catch((error) => {
    throw explainFault(error, config)
  })
  if (!provesHardware(config)) await admitSimulator(config)
  const folder = await mkdtemp(join(tmpdir(), 'countersign-edge-'))
  try {
    const settings = join(folder, 'settings.env')
    await writeFile(settings, asEnvFile(await workerSettings(config)), { mode: 0o600 })
    return await runWrangler(config, settings, database.url)
  } finally {
    await rm(folder, { recursive: true, force: true })
    await database.close()
  }
}

type Database = { readonly url: string; readonly close: () => Promise<void> }

/** A database of this machine is migrated; any other one may be somebody's and is only checked. */
async function openDatabase({ database }: Config): Promise<Database> {
  if (database.kind === 'embedded') return openEmbedded(database.dataDir)
  if (!URL.canParse(database.url)) {
    throw new Error('DATABASE_URL: must name a host here, as Hyperdrive reaches no Unix socket')
  }
  const url = new URL(database.url)
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  await (isLocal ? migratePostgres : checkPostgres)(database.url)
  if (url.username === '') url.username = 'postgres'
  if (url.password === '') url.password = ANY_PASSWORD
  return { url: url.toString(), close: () => Promise.resolve() }
}

async function openEmbedded(dataDir: string): Promise<Database> {
  const owned = await ownEmbeddedDatabase(dataDir)
  const password = toBase64Url(crypto.getRandomValues(new Uint8Array(24)))
  const socket = await listenForPostgres(owned.client, { password })
  return {
    url: socket.url,
    async close() {
      await socket.close()
      await owned.close()
    },
  }
}

/** The Worker itself knows no simulated device. What is in force already stays so. */
async function admitSimulator({ database }: Config): Promise<void> {
  const store = await openStore(database)
  try {
    await ensureDocuments(store, new Date(), listSimulatorReferenceValues())
  } finally {
    await store.close()
  }
}

/** What the Worker is to be given: the settings of this process, and what Node finds out for itself. */
async function workerSettings(config: Config): Promise<Record<string, string>> {
  const { env } = process
  const certificate = env.AZURE_CLIENT_CERTIFICATE_PATH
  const secretKey =
    config.secretKey ?? toBase64(await loadOrCreateSecretFile(join(config.dataDir, 'secret.key')))
  const settings = {
    ...Object.fromEntries(SETTING_NAMES.map((name) => [name, env[name]])),
    ...(certificate && { AZURE_CLIENT_CERTIFICATE: await readFile(certificate, 'utf8') }),
    AK_TRUST_ANCHORS: config.akTrustAnchors,
    EK_TRUST_ANCHORS: config.ekTrustAnchors,
    PUBLIC_URL: config.publicUrl,
    SECRET_KEY: secretKey,
  }
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      return value === undefined || value === '' || name in NODE_ONLY ? [] : [[name, value]]
    }),
  )
}

/** Quotes as dotenv reads them. It would put variables of its own in the place of `$name`. */
function asEnvFile(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      const quote = ["'", '`', '"'].find((mark) => !value.includes(mark))
      if (quote === undefined) throw new Error(`${name}: has every kind of quotation mark`)
      return `${name}=${quote}${value.replaceAll('$', '\\$')}${quote}\n`
    })
    .join('')
}

/** Ends with wrangler, whose exit status it answers. */
function runWrangler(config: Config, settings: string, databaseUrl: string): Promise<number> {
  const args = ['dev', '--local', '--config', join(PROJECT, 'wrangler.toml')]
  const address = ['--ip', config.host, '--port', String(config.port), '--inspector-port', '0']
  const wrangler = spawn(
    process.execPath,
    [WRANGLER, ...args, ...address, '--env-file', settings],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        ...QUIET,
        CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE: databaseUrl,
      },
    },
  )
  const end = () => wrangler.kill('SIGTERM')
  if (stop.aborted) end()
  stop.addEventListener('abort', end)
  return new Promise((resolve, reject) => {
    wrangler.once('error', reject)
    wrangler.once('exit', (code) => resolve(stop.aborted ? 0 : (code ?? 1)))
  })
}
