import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
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

/** A suite over PostgreSQL. */
export function describePostgres(name: string, suite: () => void): void {
  describeWith('postgres', POSTGRES_BINARIES !== undefined, name, suite)
}

export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const binaries = POSTGRES_BINARIES
  if (binaries === undefined) throw new Error(NO_POSTGRES)
  const user = unprivilegedUser()
  const folder = newFolder(user)
  const data = join(folder, 'data')
  const kept = await makeOnceARun('cluster', (draft) => initialise(binaries, user, draft))
  execFileSync('cp', ['-a', join(kept, 'data'), data])

  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '100',
    ...options.settings,
  }
  const log = join(folder, 'log')
  const args = ['-D', data, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
  const start = async () => {
    // In a group of its own, so that an interrupted test run shuts it down and not the terminal.
    const server = spawn(
      '/bin/sh',
      ['-c', 'exec "$0" "$@" 2>>"$LOG"', join(binaries, 'postgres'), ...args],
      {
        ...user,
        cwd: folder,
        detached: true,
        stdio: 'ignore',
        env: { LOG: log },
      },
    )
    await answering(url, server, log)
    return server
  }

  let server = await start()
  // Immediate shutdown: nothing is kept, but the shared memory must not stay behind.
  const shutDown = () => signal(server, 'SIGQUIT')
  process.once('exit', shutDown)
  return {
    url,
    pid: () => server.pid ?? 0,
    log: () => readFileSync(log, 'utf8'),
    createDatabase: (name) => createDatabase(url, name),
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
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type User = { readonly uid: number; readonly gid: number }

function newFolder(user: User | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  return folder
}

/** Moves a new cluster into `target`. It is made elsewhere, where `user` may write. */
function initialise(binaries: string, user: User | undefined, target: string): void {
  const folder = newFolder(user)
  const data = join(folder, 'data')
  const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']
  execFileSync(join(binaries, 'initdb'), ['--pgdata', data, '--no-sync', ...flags], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
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

async function createDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`)
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
