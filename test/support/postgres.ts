import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { migratePostgres } from '../../src/store/system/migrate.ts'
import { freePort } from './free-port.ts'
import { describeWith } from './left-out.ts'
import { makeOnceARun } from './once-a-run.ts'
import { NO_POSTGRES, POSTGRES_BINARIES } from './postgres-binaries.ts'

/** A real PostgreSQL cluster in a temporary folder, on a free port of the loopback address. */
export type Postgres = {
  readonly url: string
  /** Of the postmaster. */
  readonly pid: () => number
  /** Everything the server has logged since it was first started. */
  readonly log: () => string
  /** Makes another empty database in the cluster and answers its URL. */
  readonly createDatabase: (name: string) => Promise<string>
  /** The same of a migrated database, which is a copy of `MIGRATED`. */
  readonly createMigrated: (name: string) => Promise<string>
  /** Ends every process of the server at once, as a failing machine does. */
  readonly kill: () => Promise<void>
  /** Stops every process of the server where it stands; connections stay open and nothing answers. */
  readonly suspend: () => void
  /** Lets a suspended server go on. */
  readonly resume: () => void
  /** Starts a killed server again on the same data and port. */
  readonly restart: () => Promise<void>
  /** Ends the server and removes its data. */
  readonly stop: () => Promise<void>
}

export type PostgresOptions = {
  /** Settings of postgresql.conf. Durability stays on unless it is turned off here. */
  readonly settings?: Readonly<Record<string, string>>
}

/** What is lost with the machine may be lost with the tests: of servers that nothing kills. */
export const FORGETFUL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/** The name of the migrated database that every cluster begins with: to be copied, and never changed. */
export const MIGRATED = 'template_migrated'

/** A suite over PostgreSQL. */
export function describePostgres(name: string, suite: () => void): void {
  describeWith('postgres', POSTGRES_BINARIES !== undefined, name, suite)
}

export async function startPostgres({ settings }: PostgresOptions = {}): Promise<Postgres> {
  const user = unprivilegedUser()
  const folder = newFolder(user)
  const kept = await makeOnceARun('cluster', makeCluster)
  execFileSync('cp', ['-a', join(kept, 'data'), folder])
  const { url, log, start } = await programOf(folder, user, settings)

  let server = await start()
  // Immediate shutdown: nothing is kept, but the shared memory must not stay behind.
  const shutDown = () => signal(server, 'SIGQUIT')
  process.once('exit', shutDown)
  return {
    url,
    pid: () => server.pid ?? 0,
    log: () => readFileSync(log, 'utf8'),
    createDatabase: (name) => createDatabase(url, name),
    createMigrated: (name) => createDatabase(url, name, MIGRATED),
    async kill() {
      const backends = childrenOf(server.pid)
      await ended(server, () => {
        signal(server, 'SIGKILL')
        for (const pid of backends) signal({ pid }, 'SIGKILL')
      })
    },
    suspend() {
      for (const pid of [server.pid, ...childrenOf(server.pid)]) signal({ pid }, 'SIGSTOP')
    },
    resume() {
      for (const pid of [server.pid, ...childrenOf(server.pid)]) signal({ pid }, 'SIGCONT')
    },
    async restart() {
      server = await start()
    },
    async stop() {
      await ended(server, shutDown)
      process.off('exit', shutDown)
      // Of a hundred databases it is a hundred thousand files: not while everybody waits for it here.
      await promisify(execFile)('rm', ['-rf', folder])
    },
  }
}

/** The server of the cluster `data` in a folder, on a free port, and how it is started. */
async function programOf(
  folder: string,
  user: User | undefined,
  given: PostgresOptions['settings'] = {},
) {
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '100',
    ...given,
  }
  const log = join(folder, 'log')
  const named = Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])
  const args = [join(binaries(), 'postgres'), '-D', join(folder, 'data'), ...named]
  const start = async () => {
    // In a group of its own, so that an interrupted test run shuts it down and not the terminal.
    const server = spawn('/bin/sh', ['-c', 'exec "$0" "$@" 2>>"$LOG"', ...args], {
      ...user,
      cwd: folder,
      detached: true,
      stdio: 'ignore',
      env: { LOG: log },
    })
    await answering(url, server, log)
    return server
  }
  return { url, log, start }
}

function binaries(): string {
  if (POSTGRES_BINARIES === undefined) throw new Error(NO_POSTGRES)
  return POSTGRES_BINARIES
}

type User = { readonly uid: number; readonly gid: number }

function newFolder(user: User | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  return folder
}

/** Moves a new cluster with `MIGRATED` into `target`. It is made elsewhere, where its user may write. */
async function makeCluster(target: string): Promise<void> {
  const user = unprivilegedUser()
  const folder = newFolder(user)
  const data = join(folder, 'data')
  const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']
  execFileSync(join(binaries(), 'initdb'), ['--pgdata', data, '--no-sync', ...flags], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const { url, start } = await programOf(folder, user, FORGETFUL)
  const server = await start()
  await migratePostgres(await createDatabase(url, MIGRATED))
  // Fast shutdown: copies begin with nothing to recover.
  await ended(server, () => signal(server, 'SIGINT'))
  renameSync(data, join(target, 'data'))
  rmSync(folder, { recursive: true })
}

/** PostgreSQL refuses to run as root; then it gets the user of Debian's package, or nobody. */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('postgres:'))
  const [, , uid = '65534', gid = '65534'] = entry?.split(':') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

async function answering(url: string, server: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      const ended = server.exitCode !== null || server.signalCode !== null
      if (ended || Date.now() > deadline) {
        throw new Error(`PostgreSQL does not start: ${readFileSync(log, 'utf8')}`, { cause: error })
      }
      await new Promise((wake) => setTimeout(wake, 50))
    }
  }
}

async function createDatabase(url: string, name: string, template?: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const copied = template === undefined ? '' : ` template ${client.escapeIdentifier(template)}`
    await client.query(`create database ${client.escapeIdentifier(name)}${copied}`)
  } finally {
    await client.end()
  }
  return Object.assign(new URL(url), { pathname: `/${name}` }).toString()
}

async function ended(server: ChildProcess, end: () => void): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exit = new Promise((resolve) => server.once('exit', resolve))
  end()
  await exit
}

function signal({ pid }: { readonly pid?: number | undefined }, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, name)
  } catch {
    // It has ended already.
  }
}

/** Backends have groups of their own, so that a signal to the group of the server misses them. */
function childrenOf(parent: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? ''
        return Number(afterName.split(' ')[1]) === parent
      } catch {
        return false
      }
    })
    .map(Number)
}
