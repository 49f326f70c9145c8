import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator'
import pg from 'pg'
import type { Database } from './database.ts'
import { SchemaNotCurrentError } from './store-error.ts'

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Any number, the same in every process: who holds this lock of the server may migrate. */
const MIGRATION_LOCK = 7_201_968_001

/** An address that answers nothing is a mistake in the URL sooner than a slow network. */
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Brings a PostgreSQL database to the schema of this build and answers the names of what was
 * applied. All of it happens or nothing. Of two processes one waits and finds nothing left to do.
 */
export async function migratePostgres(url: string): Promise<readonly string[]> {
  // A single connection: the lock belongs to it and ends with it.
  const client = newClient(url, 'countersign migrate')
  await client.connect()
  try {
    const db = drizzle(client)
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`)
    const pending = await pendingMigrations(db)
    await migrate(db, { migrationsFolder })
    return pending
  } finally {
    await client.end()
  }
}

/** The same for an embedded database, which one process owns: no lock is needed. */
export async function migrateEmbedded(client: PGlite): Promise<Database> {
  const db = drizzlePglite(client)
  await pendingMigrations(db)
  await migratePglite(db, { migrationsFolder })
  return db
}

/** Connects once to refuse a PostgreSQL database that cannot be reached or is not migrated. */
export async function checkPostgres(url: string): Promise<void> {
  const client = newClient(url, 'countersign')
  await client.connect()
  try {
    await requireCurrentSchema(drizzle(client), 'run "countersign migrate" first')
  } finally {
    await client.end()
  }
}

function newClient(url: string, name: string): pg.Client {
  return new pg.Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  })
}

/** Refuses a database that is not on the schema of this build; `remedy` tells the operator what to do. */
export async function requireCurrentSchema(db: Database, remedy: string): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length === 0) return
  const names = pending.join(', ')
  throw new SchemaNotCurrentError(
    `the database lacks ${pending.length} migration(s) (${names}): ${remedy}`,
  )
}

/**
 * Names of the migrations of this build that the database does not have yet, in order.
 * Throws `SchemaNotCurrentError` if the database has some that this build does not know.
 */
export async function pendingMigrations(db: Database): Promise<readonly string[]> {
  const known = readJournal()
  const applied = await appliedMigrations(db)
  const unknown = applied.filter((when) => !known.some((migration) => migration.when === when))
  if (unknown.length > 0) {
    throw new SchemaNotCurrentError(
      `the database has ${unknown.length} migration(s) that this version of countersign does not know: run the newer version`,
    )
  }
  return known.filter(({ when }) => !applied.includes(when)).map(({ tag }) => tag)
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
