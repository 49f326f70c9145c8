import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { coalesceReads } from './coalesced-reads.ts'
import { createStore } from './create-store.ts'
import type { Store } from './store.ts'

/** A statement that takes longer is given up, so that a decision fails in time to be repeated. */
const QUERY_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 5_000

export type PostgresPlace = {
  /** `postgres://user:password@host:port/database`, or Hyperdrive's connection string. */
  readonly url: string
  /** The most connections at once. */
  readonly poolSize: number
}

/**
 * The store on a PostgreSQL server, through `pg`: on Node and, over Hyperdrive, at the edge.
 * Connects when first used. Does not look at the schema: `openStore` does, where there are files.
 */
export function openPostgresStore({ url, poolSize }: PostgresPlace): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'countersign',
  })
  // An idle connection that breaks leaves the pool by itself; unheard, its error ends the process.
  pool.on('error', () => {})
  const store = createStore({
    db: drizzle(pool),
    place: { kind: 'postgres' },
    close: () => pool.end(),
  })
  return { ...store, ...coalesceReads(store) }
}
