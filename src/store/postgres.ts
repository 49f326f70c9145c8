import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { coalesceReads } from './coalesced-reads.ts'
import { createStore } from './create-store.ts'
import type { Store } from './store.ts'

/** Of every connection that serves requests, pooled or not. */
export const POSTGRES_CLIENT = {
  connectionTimeoutMillis: 5_000,
  /** A statement that takes longer is given up, so that a decision fails in time to be repeated. */
  query_timeout: 10_000,
  application_name: 'countersign',
} as const

export type PostgresPlace = {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** The most connections at once. */
  readonly poolSize: number
}

/**
 * The store on a PostgreSQL server, through a pool of `pg`'s connections, for a process whose
 * requests may share them; on Workers they may not (`openHyperdriveStore`). Connects when first
 * used. Does not look at the schema: `openStore` does, where there are files.
 */
export function openPostgresStore({ url, poolSize }: PostgresPlace): Store {
  const pool = new pg.Pool({
    ...POSTGRES_CLIENT,
    connectionString: url,
    max: poolSize,
    keepAlive: true,
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
