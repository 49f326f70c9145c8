import { setTimeout as delay } from 'node:timers/promises'
import type { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import pg from 'pg'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { Database } from '../drivers/database.ts'
import { isPooled } from '../drivers/statement-names.ts'
import { SchemaNotCurrentError, storeFaultOf } from '../store-error.ts'
import { buildIndex, LOCK_WAIT, readIndexes } from './build-index.ts'
import { applyFiles, type Migration, noteApplied, readMigrationState } from './migration-files.ts'

/** Any number, the same in every process: who holds this lock of the server may migrate. */
const MIGRATION_LOCK = 7_201_968_001
const LOCK_POLL_MS = 250

/**
 * A table that a long read holds keeps everybody waiting who comes after a migration that wants it. So
 * the migration gives up soon, lets them pass, and tries again.
 */
const LOCK_TRIES = 60
const LOCK_PAUSE_MS = 2000
/** Longer than requests of the service take. */
const OLD_TRANSACTION = '1 second'
/** How often it is looked for such while an index is built. */
const WATCH_MS = 2_000

/** An address that answers nothing is a mistake in the URL sooner than a slow network. */
const CONNECT_TIMEOUT_MS = 5_000
/** The same of a server that takes a connection and answers nothing on it. */
const CHECK_TIMEOUT_MS = 10_000

/** An open transaction of another session: no index is done before it has ended. */
export type OldTransaction = {
  readonly kind: 'old_transaction'
  readonly pid: number
  /** The name of its application, or else of its user. */
  readonly name: string
  readonly since: Date
}

/** What `migratePostgres` is at, or held up by. */
export type MigrationStep =
  /** Another migration is under way, and is waited for; told again and again. */
  | { readonly kind: 'waiting' }
  /** Another session has a table for too long; this one tries again after a pause. */
  | { readonly kind: 'blocked' }
  | OldTransaction
  /** It begins to build an index, one of `total`, while everybody reads and writes. */
  | {
      readonly kind: 'index'
      readonly name: string
      readonly number: number
      readonly total: number
    }
  /** It begins to build indexes while nobody can write, as a pooler stands between. */
  | { readonly kind: 'pooled'; readonly indexes: number }

/**
 * Brings a PostgreSQL database to the schema of this build and answers the names of what was applied. It may
 * be killed anywhere, and goes on when it is called again; of two processes one waits and finds nothing left
 * to do.
 *
 * Tables, columns and functions come in one transaction, whose locks are short; then indexes of
 * existing tables, beside those who read and write. A pooler has no session to do that in: through one
 * everything is one transaction. After some minutes of being blocked the fault is thrown.
 */
export async function migratePostgres(
  url: string,
  tell: (step: MigrationStep) => void = () => {},
): Promise<readonly string[]> {
  const applied: string[] = []
  for (let tries = 1; ; tries += 1) {
    try {
      await migrateOnce(url, tell, ({ tag }) => applied.push(tag))
      return applied
    } catch (error) {
      if (storeFaultOf(error) !== 'lock' || tries >= LOCK_TRIES) throw error
      tell({ kind: 'blocked' })
      await delay(LOCK_PAUSE_MS)
    }
  }
}

type Migrating = {
  readonly client: pg.Client
  readonly url: string
  readonly db: Database
  readonly tell: (step: MigrationStep) => void
  readonly onApplied: (migration: Migration) => void
}

async function migrateOnce(
  url: string,
  tell: Migrating['tell'],
  onApplied: Migrating['onApplied'],
): Promise<void> {
  const client = newClient(url, 'countersign migration')
  // What breaks it fails the statement under way; unheard, the event would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    const migrating = { client, url, db: drizzle(client), tell, onApplied }
    if (await isPooled(client)) await migrateInTransaction(migrating)
    else await migrateInSession(migrating)
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * The lock ends with the session, which outlives a client that was killed until the statement has ended that
 * it left behind. So nobody begins while an index of that one is still being built.
 */
async function migrateInSession({ client, url, db, tell, onApplied }: Migrating): Promise<void> {
  // Whatever the role is given for its requests.
  await client.query(`set statement_timeout = 0; set lock_timeout = '${LOCK_WAIT}'`)
  // Asked again and again: who waits for it in a statement, an index that is being built would wait for.
  while (!(await isLocked(client))) {
    tell({ kind: 'waiting' })
    await delay(LOCK_POLL_MS)
  }
  const { pending, isNew } = await readMigrationState(db)
  for (const group of isNew ? [pending] : groupByKind(pending)) {
    const [first] = group
    const indexes = isNew || first === undefined ? undefined : readIndexes(first.statements)
    if (first === undefined || indexes === undefined) {
      await db.transaction((transaction) => applyFiles(transaction, group))
    } else {
      for (const [at, index] of indexes.entries()) {
        tell({ kind: 'index', name: index.name, number: at + 1, total: indexes.length })
        await whileToldOfOthers({ client, url, tell }, () => buildIndex(client, index))
      }
      await noteApplied(db, first)
    }
    group.forEach(onApplied)
  }
}

/**
 * Builds an index, and tells of each transaction that may hold it up, those that begin meanwhile among them. A second
 * session looks, as the first one waits in its statement; where it can't, nothing is told, and the build goes on.
 */
async function whileToldOfOthers(
  { client, url, tell }: Pick<Migrating, 'client' | 'url' | 'tell'>,
  build: () => Promise<void>,
): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const watcher = newClient(url, 'countersign migration watch', CHECK_TIMEOUT_MS)
  watcher.on('error', () => {})
  const told = new Set<string>()
  const look = async () => {
    for (const session of await listOldTransactions(watcher, rows[0]?.pid)) {
      const name = `${session.pid} ${session.since.getTime()}`
      if (!told.has(name)) tell(session)
      told.add(name)
    }
  }
  const isWatching = await watcher.connect().then(look).then(yes, no)
  const timer = setInterval(() => isWatching && look().catch(no), WATCH_MS)
  try {
    await build()
  } finally {
    clearInterval(timer)
    await watcher.end().catch(no)
  }
}

const yes = () => true
const no = () => false

/** Sessions whose transactions began long before: an index is not done until they have ended. */
async function listOldTransactions(
  client: pg.Client,
  builder: number | undefined,
): Promise<readonly OldTransaction[]> {
  const { rows } = await client.query<{ pid: number; name: string; since: Date }>(
    `select pid, coalesce(nullif(application_name, ''), usename, '') as name, xact_start as since
     from pg_stat_activity
     where pid <> pg_backend_pid() and pid <> $1 and datname = current_database()
       and backend_xmin is not null and xact_start < now() - interval '${OLD_TRANSACTION}'
     order by xact_start limit 10`,
    [builder ?? 0],
  )
  return rows.map(({ pid, name, since }) => ({ kind: 'old_transaction', pid, name, since }))
}

async function isLocked(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ is_ours: boolean }>(
    'select pg_try_advisory_lock($1) as is_ours',
    [MIGRATION_LOCK],
  )
  return rows[0]?.is_ours === true
}

/**
 * Whether a file has indexes alone that nothing but speed needs. Those that keep rows apart are needed by the
 * functions that follow.
 */
function isForSpeed({ statements }: Migration): boolean {
  return readIndexes(statements)?.every(({ isUnique }) => !isUnique) ?? false
}

/**
 * Files that follow each other and are no indexes are applied together; each of the others alone. Indexes
 * for speed come last: they wait for every transaction that is open, and a service starts without them.
 */
function groupByKind(pending: readonly Migration[]): readonly (readonly Migration[])[] {
  const groups: Migration[][] = []
  let together: Migration[] | undefined
  const last = pending.filter(isForSpeed)
  for (const migration of [...pending.filter((one) => !isForSpeed(one)), ...last]) {
    const isAlone = readIndexes(migration.statements) !== undefined
    if (together === undefined || isAlone) groups.push([migration])
    else together.push(migration)
    together = isAlone ? undefined : groups.at(-1)
  }
  return groups
}

/** Of a session through a pooler nothing is left after a transaction, its lock neither. */
async function migrateInTransaction({ db, tell, onApplied }: Migrating): Promise<void> {
  for (;;) {
    const pending = await db.transaction(async (transaction) => {
      const [lock] = await transaction
        .select({ isOurs: sql<boolean>`is_ours` })
        .from(sql`pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as is_ours`)
      if (lock?.isOurs !== true) return undefined
      await transaction.execute(sql`set local statement_timeout = 0`)
      await transaction.execute(sql.raw(`set local lock_timeout = '${LOCK_WAIT}'`))
      const { pending: all, isNew } = await readMigrationState(transaction)
      const indexes = all.flatMap(({ statements }) => readIndexes(statements) ?? [])
      if (!isNew && indexes.length > 0) tell({ kind: 'pooled', indexes: indexes.length })
      await applyFiles(transaction, all)
      return all
    })
    if (pending !== undefined) return pending.forEach(onApplied)
    tell({ kind: 'waiting' })
    await delay(LOCK_POLL_MS)
  }
}

/** The same for an embedded database, which one process owns. */
export async function migrateEmbedded(client: PGlite): Promise<Database> {
  const db = drizzlePglite(client)
  await db.transaction(async (transaction) => {
    const { pending } = await readMigrationState(transaction)
    await applyFiles(transaction, pending)
  })
  return db
}

/**
 * Connects once to refuse a PostgreSQL database that cannot be reached or is not migrated, and to
 * find out whether a pooler stands between.
 */
export async function checkPostgres(url: string): Promise<{ readonly pooled: boolean }> {
  const client = newClient(url, 'countersign', CHECK_TIMEOUT_MS)
  await client.connect()
  try {
    await requireCurrentSchema(drizzle(client), `run "${COMMAND} migrate" first`)
    return { pooled: await isPooled(client) }
  } finally {
    await client.end()
  }
}

function newClient(url: string, name: string, query_timeout?: number): pg.Client {
  return new pg.Client({
    ...(query_timeout !== undefined && { query_timeout }),
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  })
}

/**
 * Refuses a database that is not on the schema of this build; `remedy` tells the operator what to do. Indexes
 * for speed may be missing still: `migrate` is building them.
 */
export async function requireCurrentSchema(db: Database, remedy: string): Promise<void> {
  const { pending: all } = await readMigrationState(db)
  const pending = all.filter((one) => !isForSpeed(one))
  if (pending.length === 0) return
  const names = pending.map(({ tag }) => tag).join(', ')
  throw new SchemaNotCurrentError(
    `the database lacks ${plural(pending.length, 'migration')} (${names}): ${remedy}`,
  )
}
