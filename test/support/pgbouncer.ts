import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { describeWith } from './left-out.ts'
import { unprivilegedUser } from './postgres.ts'
import { POSTGRES_BINARIES } from './postgres-binaries.ts'

/** Debian's PgBouncer before a PostgreSQL server: each transaction may get another connection of it. */
export type PgBouncer = {
  /** The address of `database` through it. */
  readonly urlOf: (database: string) => string
  readonly stop: () => Promise<void>
}

const PATH = `${process.env.PATH}:/usr/sbin`
const START_MS = 10_000

export function describePgBouncer(name: string, suite: () => void): void {
  const program = spawnSync('pgbouncer', ['--version'], { env: { PATH } })
  const isPresent = program.error === undefined && POSTGRES_BINARIES !== undefined
  describeWith('pgbouncer', isPresent, name, suite)
}

/**
 * In transaction mode, with few connections for many. From 1.21 on it can follow prepared
 * statements by their names, which older ones and many of its like cannot: here it never does.
 */
export async function startPgBouncer(serverUrl: string): Promise<PgBouncer> {
  const server = new URL(serverUrl)
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pgbouncer-'))
  const settings = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users')
  const version = spawnSync('pgbouncer', ['--version'], { env: { PATH }, encoding: 'utf8' }).stdout
  const canFollow = Number(/PgBouncer 1\.(\d+)/.exec(version)?.[1] ?? 0) >= 21
  writeFileSync(users, `"${server.username}" ""\n`)
  writeFileSync(
    settings,
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${users}`,
      'pool_mode = transaction',
      'default_pool_size = 3',
      'max_client_conn = 200',
      ...(canFollow ? ['max_prepared_statements = 0'] : []),
    ].join('\n'),
  )
  const user = unprivilegedUser()
  if (user !== undefined) {
    for (const path of [folder, settings, users]) chownSync(path, user.uid, user.gid)
  }
  const child = spawn('pgbouncer', [settings], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
    env: { PATH },
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await answering(port)
  return {
    urlOf: (database) => `postgres://${server.username}@127.0.0.1:${port}/${database}`,
    async stop() {
      child.kill('SIGKILL')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(port: number): Promise<void> {
  const deadline = performance.now() + START_MS
  while (performance.now() < deadline) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () =>
        resolve(false),
      )
      socket.once('close', () => {})
      setTimeout(() => socket.destroy(), 100).unref()
    })
    if (connected) return
    await delay(50)
  }
  throw new Error('PgBouncer does not answer')
}
