import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { plural } from '../../base/words.ts'
import type { Database } from '../drivers/database.ts'
import { SchemaNotCurrentError } from '../store-error.ts'

const migrationsFolder = fileURLToPath(new URL('../../../drizzle', import.meta.url))

/** A file of `drizzle/`, as the journal lists it. */
export type Migration = {
  /** Its time in the journal, by which a database remembers it. */
  readonly when: number
  readonly tag: string
  readonly hash: string
  readonly statements: readonly string[]
}

/** Which of the files a database has, and which it lacks, in order. */
export type MigrationState = {
  readonly pending: readonly Migration[]
  /** It has none of them yet, so that its tables are empty when they are made. */
  readonly isNew: boolean
}

/** Throws `SchemaNotCurrentError` if the database has migrations that this build does not know. */
export async function readMigrationState(db: Database): Promise<MigrationState> {
  const applied = await appliedMigrations(db)
  const unknown = unknownMigrations(applied)
  if (unknown.length > 0) {
    throw new SchemaNotCurrentError(
      `the database has ${plural(unknown.length, 'migration')} that this version of countersign does not know: run the newer version`,
    )
  }
  const files = new Map(
    readMigrationFiles({ migrationsFolder }).map((file) => [file.folderMillis, file]),
  )
  const pending = readJournal()
    .filter(({ when }) => !applied.includes(when))
    .map(({ when, tag }) => {
      const file = files.get(when)
      if (file === undefined) throw new TypeError(`no migration of ${when}`)
      return { when, tag, hash: file.hash, statements: file.sql }
    })
  return { pending, isNew: applied.length === 0 }
}

/** Those, by their times in the journal, that this build does not know: a newer one applied them. */
export function unknownMigrations(applied: readonly number[]): readonly number[] {
  const known = readJournal()
  return applied.filter((when) => !known.some((migration) => migration.when === when))
}

/** Executes the statements of these files, and notes that, in the transaction of the caller. */
export async function applyFiles(
  transaction: Database,
  migrations: readonly Migration[],
): Promise<void> {
  if (migrations.length === 0) return
  await transaction.execute(sql`create schema if not exists drizzle`)
  await transaction.execute(sql`
    create table if not exists drizzle.__drizzle_migrations (
      id serial primary key, hash text not null, created_at bigint
    )`)
  for (const migration of migrations) {
    for (const statement of migration.statements) await transaction.execute(sql.raw(statement))
    await noteApplied(transaction, migration)
  }
}

/** The database has it from now on. */
export async function noteApplied(db: Database, { hash, when }: Migration): Promise<void> {
  await db.execute(sql`
    insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${when})`)
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

function readJournal(): readonly Pick<Migration, 'when' | 'tag'>[] {
  return JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8')).entries
}
