import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import pg from 'pg'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { Database } from '../drivers/database.ts'
import { isPooled } from '../drivers/statement-names.ts'
import { SchemaNotCurrentError, storeFaultOf } from '../store-error.ts'

const migrationsFolder = fileURLToPath(new URL('../../../drizzle', import.meta.url))

/** Any number, the same in every process: who holds this lock of the server may migrate. */
const MIGRATION_LOCK = 7_201_968_001

/**
 * A table that a long read holds keeps everybody waiting who comes after a migration that wants it. So
 * the migration gives up soon, lets them pass, and tries again.
 */
const LOCK_WAIT = '2s'
const LOCK_TRIES = 60
const LOCK_PAUSE_MS = 2000

/** An address that answers nothing is a mistake in the URL sooner than a slow network. */
const CONNECT_TIMEOUT_MS = 5_000
/** The same of a server that takes a connection and answers nothing on it. */
const CHECK_TIMEOUT_MS = 10_000

/**
 * Brings a PostgreSQL database to the schema of this build and answers the names of what was
 * applied. All of it happens or nothing. Of two processes one waits and finds nothing left to do.
 * One transaction, so that a pooler may stand between. `onBlocked` is told each time that another
 * session holds a table for too long; after some minutes of that the fault is thrown.
 */
export async function migratePostgres(
  url: string,
  onBlocked: () => void = () => {},
): Promise<readonly string[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await migrateOnce(url)
    } catch (error) {
      if (storeFaultOf(error) !== 'lock' || tries >= LOCK_TRIES) throw error
      onBlocked()
      await delay(LOCK_PAUSE_MS)
    }
  }
}

async function migrateOnce(url: string): Promise<readonly string[]> {
  const client = newClient(url, 'countersign migration')
  await client.connect()
  try {
    return await applyMigrations(drizzle(client))
  } finally {
    await client.end()
  }
}

/** The same for an embedded database, which one process owns. */
export async function migrateEmbedded(client: PGlite): Promise<Database> {
  const db = drizzlePglite(client)
  await applyMigrations(db)
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

/** What Drizzle's own migrators do, under a lock that ends with the transaction. */
function applyMigrations(db: Database): Promise<readonly string[]> {
  const files = new Map(
    readMigrationFiles({ migrationsFolder }).map((file) => [file.folderMillis, file]),
  )
  return db.transaction(async (transaction) => {
    // Whatever the role is given for its requests; another migration is waited for until it ends.
    await transaction.execute(sql`set local statement_timeout = 0`)
    await transaction.execute(sql`set local lock_timeout = 0`)
    await transaction.execute(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`)
    await transaction.execute(sql.raw(`set local lock_timeout = '${LOCK_WAIT}'`))
    const pending = await pendingMigrations(transaction)
    await transaction.execute(sql`create schema if not exists drizzle`)
    await transaction.execute(sql`
      create table if not exists drizzle.__drizzle_migrations (
        id serial primary key, hash text not null, created_at bigint
      )`)
    for (const { when } of pending) {
      const file = files.get(when)
      if (file === undefined) throw new TypeError(`no migration of ${when}`)
      for (const statement of file.sql) await transaction.execute(sql.raw(statement))
      await transaction.execute(sql`
        insert into drizzle.__drizzle_migrations (hash, created_at) values (${file.hash}, ${when})`)
    }
    return pending.map(({ tag }) => tag)
  })
}

function newClient(url: string, name: string, query_timeout?: number): pg.Client {
  return new pg.Client({
    ...(query_timeout !== undefined && { query_timeout }),
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  })
}

/** Refuses a database that is not on the schema of this build; `remedy` tells the operator what to do. */
export async function requireCurrentSchema(db: Database, remedy: string): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length === 0) return
  const names = pending.map(({ tag }) => tag).join(', ')
  throw new SchemaNotCurrentError(
    `the database lacks ${plural(pending.length, 'migration')} (${names}): ${remedy}`,
  )
}

/**
 * The migrations of this build that the database does not have yet, in order.
 * Throws `SchemaNotCurrentError` if the database has some that this build does not know.
 */
async function pendingMigrations(db: Database): Promise<readonly Migration[]> {
  const known = readJournal()
  const applied = await appliedMigrations(db)
  const unknown = unknownMigrations(applied)
  if (unknown.length > 0) {
    throw new SchemaNotCurrentError(
      `the database has ${plural(unknown.length, 'migration')} that this version of countersign does not know: run the newer version`,
    )
  }
  return known.filter(({ when }) => !applied.includes(when))
}

/** Those, by their times in the journal, that this build does not know: a newer one applied them. */
export function unknownMigrations(applied: readonly number[]): readonly number[] {
  const known = readJournal()
  return applied.filter((when) => !known.some((migration) => migration.when === when))
}

async function appliedMigrations(db: Database): Promise<readonly number[]> {
  const [table] = await db
    .select({ exists: sql<boolean>`name is not null` })
    .from(sql`to_regclass('drizzle.__drizzle_migrations') as name`)
  if (table?.exists !== true) return []
  const rows = await db
    .select({ when: sql<number>`created_at`.mapWith(Number) })
    .from(sql`drizzle.__drizzle_migrations`)
  return rows.map((row) => row.when)
}

type Migration = { readonly when: number; readonly tag: string }

function readJournal(): readonly Migration[] {
  return JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8')).entries
}
