import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as audit from '../../src/store/schema/audit-schema.ts'
import * as devices from '../../src/store/schema/device-schema.ts'
import * as directory from '../../src/store/schema/directory-schema.ts'
import { PARTITIONED, PARTITIONED_TABLES } from '../../src/store/schema/partitioned.ts'
import * as people from '../../src/store/schema/people-schema.ts'
import * as signIns from '../../src/store/schema/sign-in-schema.ts'
import * as signals from '../../src/store/schema/signal-schema.ts'
import * as statuses from '../../src/store/schema/status-list-schema.ts'
import * as steering from '../../src/store/schema/steering-schema.ts'
import * as system from '../../src/store/schema/system-schema.ts'
import { readIndexes } from '../../src/store/system/build-index.ts'
import { migrateEmbedded, migratePostgres } from '../../src/store/system/migrate.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'

/**
 * What a migrated database is against what the sources declare: tables against the schema in
 * TypeScript, as drizzle-kit makes them of it, and functions against their files. The witness of both
 * is the catalog of PostgreSQL.
 */

const folder = new URL('../../drizzle/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const declared = generateDrizzleJson({
  ...audit,
  ...devices,
  ...directory,
  ...system,
  ...steering,
  ...signals,
  ...signIns,
  ...people,
  ...statuses,
})

type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

type Engine = {
  readonly migrated: Query
  /** Of a database that has the tables of the schema and has seen no migration. */
  readonly generated: Query
  readonly close: () => Promise<void>
}

/** By name, how the catalog describes what can differ. */
const CATALOG = {
  columns: `
    select table_name, column_name, data_type, udt_name, collation_name, datetime_precision,
      is_nullable, column_default, is_identity
    from information_schema.columns
    where table_schema = 'public' and ${isWhole('to_regclass(table_name::text)')} order by 1, 2`,
  constraints: `
    select conrelid::regclass::text as on_table, conname, pg_get_constraintdef(oid) as definition
    from pg_constraint
    where connamespace = 'public'::regnamespace and ${isWhole('conrelid')} order by 1, 2`,
  indexes: `
    select tablename, indexname, replace(indexdef, ' ON ONLY ', ' ON ') as definition
    from pg_indexes
    where schemaname = 'public' and ${isWhole('to_regclass(tablename::text)')} order by 1, 2`,
}

/** Of what is in partitions the schema declares the whole. */
function isWhole(table: string): string {
  return `not (select relispartition from pg_class where oid = ${table})`
}

/** The function that each file is named after, and its file: the newest where there are several. */
function functionFiles(): ReadonlyMap<string, string> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql') && read(name).includes('FUNCTION'))
    .sort()
  return new Map(files.map((name) => [name.replace(/^\d+_(.*)\.sql$/, '$1'), name]))
}

/** What stands between the dollar quotes of a file. */
function bodyIn(file: string): string {
  const [, body, ...more] = read(file).split('$$')
  expect(more, `${file} holds one function`).toHaveLength(1)
  return body ?? ''
}

async function toEngine(migrated: Query, generated: Query, close: () => Promise<void>) {
  const nothing = generateDrizzleJson({})
  for (const statement of await generateMigration(nothing, declared)) await generated(statement)
  return { migrated, generated, close }
}

function schemaContract(open: () => Promise<Engine>): void {
  let engine: Engine
  beforeAll(async () => {
    engine = await open()
  }, 240_000)
  afterAll(() => engine?.close())

  for (const [name, query] of Object.entries(CATALOG)) {
    test(`has the ${name} that the schema declares`, async () => {
      const expected = await engine.generated(query)
      expect(expected.length).toBeGreaterThan(20)
      expect(await engine.migrated(query)).toEqual(expected)
    })
  }

  test('has the partitioned tables that are declared, by the column, each with a default', async () => {
    const rows = await engine.migrated(
      `select partrelid::regclass::text as name, pg_get_partkeydef(partrelid) as key,
         partdefid::regclass::text as rest
       from pg_partitioned_table order by 1`,
    )
    expect(rows).toEqual(
      PARTITIONED_TABLES.map((name) => ({
        ...{ name, key: `RANGE (${PARTITIONED[name].column})`, rest: `${name}_default` },
      })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
  })

  test('has the functions of the files, each as its newest file has it, and no other', async () => {
    const rows = await engine.migrated(
      `select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by 1`,
    )
    const files = [...functionFiles()].sort(([a], [b]) => (a < b ? -1 : 1))
    expect(rows).toEqual(files.map(([proname, file]) => ({ proname, prosrc: bodyIn(file) })))
  })
}

test('there is nothing left to migrate between the schema and the snapshot of the migrations', async () => {
  const snapshots = readdirSync(new URL('meta/', folder)).filter((name) => /^\d/.test(name))
  const newest: typeof declared = JSON.parse(read(`meta/${snapshots.sort().at(-1)}`))
  expect(await generateMigration(newest, declared)).toEqual([])
})

test('the journal names every file, once and in order', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  const journal = JSON.parse(read('meta/_journal.json'))
  expect(journal.entries.map((entry: { tag: string }) => `${entry.tag}.sql`)).toEqual(files.sort())
  const times = journal.entries.map((entry: { when: number }) => entry.when)
  expect(times).toEqual([...new Set<number>(times)].sort((a, b) => a - b))
})

test('indexes of tables that are there come in files of their own, which can be applied beside everybody', () => {
  const [first, ...later] = readMigrationFiles({ migrationsFolder: fileURLToPath(folder) })
  expect(first?.sql.join()).toContain('CREATE INDEX')
  const withIndexes = later.filter(({ sql }) => /CREATE (UNIQUE )?INDEX/.test(sql.join()))
  expect(withIndexes.length).toBeGreaterThan(0)
  for (const { sql } of withIndexes) expect(readIndexes(sql), sql.join()).toBeDefined()
})

describe('a database migrated on PGlite', () => {
  schemaContract(async () => {
    const [migrated, generated] = [await PGlite.create(), await PGlite.create()]
    await migrateEmbedded(migrated)
    const queryOf = (client: PGlite) => async (text: string) =>
      (await client.query<Record<string, unknown>>(text)).rows
    return toEngine(queryOf(migrated), queryOf(generated), async () => {
      await migrated.close()
      await generated.close()
    })
  })
})

describePostgres('a database migrated on PostgreSQL', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server?.stop())

  schemaContract(async () => {
    const urls = [await server.createDatabase('migrated'), await server.createDatabase('generated')]
    await migratePostgres(urls[0] ?? '')
    const clients = urls.map((connectionString) => new pg.Client({ connectionString }))
    for (const client of clients) await client.connect()
    const queryOf = (index: number) => async (text: string) =>
      (await clients[index]?.query<Record<string, unknown>>(text))?.rows ?? []
    return toEngine(queryOf(0), queryOf(1), async () => {
      for (const client of clients) await client.end()
    })
  })

  test('is migrated once by however many do it at once', async () => {
    const url = await server.createDatabase('at_once')
    const applied = await Promise.all(Array.from({ length: 4 }, () => migratePostgres(url)))
    expect(applied.map((names) => names.length).sort((a, b) => a - b)).toEqual([
      ...[0, 0, 0],
      JSON.parse(read('meta/_journal.json')).entries.length,
    ])
  })
})
