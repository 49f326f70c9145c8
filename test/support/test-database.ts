import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { IS_NODE } from '../../src/base/runtime.ts'
import { openPostgresStore } from '../../src/store/drivers/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { openRequestStore } from './edge/request-store.ts'

export type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

/** A database of its own and a way to look at it past the store. */
export type TestDatabase = {
  readonly store: Store
  readonly query: Query
  /** Answers a request, whose statements share what a runtime lets one request have. */
  readonly serve: <T>(answer: () => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** The PostgreSQL server of a test run: made by the global setup, gone with the run. */
export type TestPostgres = {
  /** Of a database in which others can be made. */
  readonly url: string
  /** Name of a migrated database, to be copied. */
  readonly template: string
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly postgres: TestPostgres | undefined
  }
}

/**
 * An empty, migrated database: on the PostgreSQL server of this run, from Node as from workerd.
 * Where none is installed Node has the embedded one.
 */
export async function openTestDatabase(): Promise<TestDatabase> {
  const server = inject('postgres')
  if (server === undefined) {
    const { openEmbeddedDatabase } = await import('./embedded-database.ts')
    return openEmbeddedDatabase()
  }
  const url = await copyTemplate(server)
  const { store, serve } = IS_NODE ? openPooledStore(url) : openRequestStore(url)
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  return {
    store,
    serve,
    query: async (text) => (await pool.query<Record<string, unknown>>(text)).rows,
    async close() {
      await pool.end()
      await store.close()
    },
  }
}

function openPooledStore(url: string): Pick<TestDatabase, 'store' | 'serve'> {
  return { store: openPostgresStore({ url, poolSize: 16 }), serve: (answer) => answer() }
}

async function copyTemplate({ url, template }: TestPostgres): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`create database ${name} template ${template}`)
  await client.end()
  return Object.assign(new URL(url), { pathname: `/${name}` }).toString()
}
