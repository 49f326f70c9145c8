import type pg from 'pg'
import { codeOf } from '../../base/error-code.ts'

/** An index that a migration asks for. */
export type WantedIndex = {
  readonly name: string
  readonly table: string
  readonly isUnique: boolean
  /** What follows the name of the table: `USING btree ("at")` and so on. */
  readonly definition: string
}

/** As drizzle-kit writes it, and repeatable. */
const CREATE_INDEX = /^CREATE (UNIQUE )?INDEX IF NOT EXISTS "(\w+)" ON "(\w+)" (USING [^;]+);?$/

/**
 * The indexes of a file that has nothing else, with comments before them; `undefined` for any other file.
 * Such a file can be applied beside those who read and write, outside of a transaction.
 */
export function readIndexes(statements: readonly string[]): readonly WantedIndex[] | undefined {
  const indexes = statements.map(readIndex)
  return indexes.every((one) => one !== undefined) ? indexes : undefined
}

function readIndex(statement: string): WantedIndex | undefined {
  const text = statement.replace(/^--.*$/gm, '').trim()
  const [, unique, name, table, definition] = CREATE_INDEX.exec(text) ?? []
  if (name === undefined || table === undefined || definition === undefined) return undefined
  return { name, table, definition, isUnique: unique !== undefined }
}

/**
 * How long a statement waits for a lock that others have to wait behind: less than any of them waits
 * (`STATEMENT_LIMITS`), so that none is refused for it.
 */
export const LOCK_WAIT = '200ms'

/**
 * Builds an index of a table that others read and write meanwhile (PostgreSQL documentation, CREATE INDEX,
 * "Building Indexes Concurrently"), unless it is there. What a build left that was killed halfway is not
 * valid: it is dropped, and built anew. `client` is in no transaction, waits for locks as long as
 * `LOCK_WAIT`, has no other limits, and is the only one to build.
 */
export async function buildIndex(client: pg.Client, index: WantedIndex): Promise<void> {
  if (await isPartitioned(client, index.table)) await buildPartitioned(client, index)
  else await buildOn(client, index)
}

async function buildOn(client: pg.Client, index: WantedIndex): Promise<void> {
  const validity = await validityOf(client, index.name)
  if (validity === true) return
  if (validity === false) await patiently(client, `drop index concurrently "${index.name}"`)
  await patiently(client, createStatement(index, 'concurrently'))
}

/**
 * Of a table in partitions (CREATE INDEX: "build the index on each partition individually and then finally
 * create the partitioned index"): first one for the whole that is not valid, by which new partitions get
 * theirs at once; then each partition's, which is attached. With the last one the whole is valid. That is
 * the default partition's, as that one never goes away.
 */
async function buildPartitioned(client: pg.Client, index: WantedIndex): Promise<void> {
  const { name, table, definition } = index
  if ((await validityOf(client, name)) === undefined) {
    await client.query(createStatement(index, 'only'))
  }
  for (;;) {
    const partition = await partitionWithout(client, index)
    if (partition === undefined) break
    const part = {
      ...index,
      name: `${name}_of_${partition}`,
      table: partition,
      definition: definition.replaceAll(`"${table}".`, `"${partition}".`),
    }
    await whileThere(async () => {
      await buildOn(client, part)
      await client.query(`alter index "${name}" attach partition "${part.name}"`)
    })
  }
  if ((await validityOf(client, name)) !== true) throw new Error(`the index ${name} is not valid`)
}

/** `concurrently` for a table that has rows, `only` for one whose rows are in its partitions. */
function createStatement(
  { name, table, isUnique, definition }: WantedIndex,
  way: 'concurrently' | 'only',
): string {
  const create = `create ${isUnique ? 'unique ' : ''}index`
  return way === 'only'
    ? `${create} "${name}" on only "${table}" ${definition}`
    : `${create} concurrently "${name}" on "${table}" ${definition}`
}

/** Nobody waits behind these, and they wait for every transaction that began before them. */
async function patiently(client: pg.Client, statement: string): Promise<void> {
  await client.query('set lock_timeout = 0')
  try {
    await client.query(statement)
  } finally {
    // Where the connection is lost that is the fault to tell.
    await client.query(`set lock_timeout = '${LOCK_WAIT}'`).catch(() => {})
  }
}

/** SQLSTATE `undefined_table`: retention drops the oldest partition whenever it is old enough. */
const TABLE_GONE = '42P01'

async function whileThere(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (codeOf(error) !== TABLE_GONE) throw error
  }
}

async function isPartitioned(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ kind: string }>(
    'select relkind as kind from pg_class where oid = to_regclass($1)',
    [`"${table}"`],
  )
  return rows[0]?.kind === 'p'
}

/** `undefined` where there is no such index. */
async function validityOf(client: pg.Client, index: string): Promise<boolean | undefined> {
  const { rows } = await client.query<{ valid: boolean }>(
    'select indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
    [`"${index}"`],
  )
  return rows[0]?.valid
}

/** A partition that has no part of the index yet, the default one last. */
async function partitionWithout(
  client: pg.Client,
  { name, table }: WantedIndex,
): Promise<string | undefined> {
  const { rows } = await client.query<{ partition: string }>(
    `select c.relname as partition
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = to_regclass($1) and not exists (
       select from pg_index x join pg_inherits a on a.inhrelid = x.indexrelid
       where x.indrelid = c.oid and a.inhparent = to_regclass($2)
     )
     order by pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname limit 1`,
    [`"${table}"`, `"${name}"`],
  )
  return rows[0]?.partition
}
