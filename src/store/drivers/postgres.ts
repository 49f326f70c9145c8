import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createStore } from '../create-store.ts'
import { coalesceReads } from '../devices/coalesced-reads.ts'
import type { Store } from '../store.ts'
import { withStatementNames } from './statement-names.ts'

/** Of every connection that serves requests, pooled or not. */
export const POSTGRES_CLIENT = {
  connectionTimeoutMillis: 5_000,
  /**
   * A statement that takes longer is given up, so that a decision fails in time to be repeated. The
   * pool ends its connection with it: nobody is handed one on which an answer is still to come.
   */
  query_timeout: 10_000,
  application_name: 'countersign',
} as const

export type PostgresPlace = {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** The most connections at once. */
  readonly poolSize: number
  /** Whether statements are prepared under names, which no pooler between may forget. */
  readonly prepared?: boolean
  /** In place of `query_timeout`. */
  readonly queryTimeoutMs?: number
  /** Told once when names turn out to be forgotten; from then on there are none. */
  readonly onNamesLost?: () => void
}

/**
 * The store on a PostgreSQL server, through a pool of `pg`'s connections, for a process whose
 * requests may share them; on Workers they may not (`openHyperdriveStore`). Connects when first
 * used. Does not look at the schema: `openStore` does, where there are files.
 */
export function openPostgresStore(input: PostgresPlace): Store {
  const { url, poolSize, prepared = true, onNamesLost } = input
  const { queryTimeoutMs = POSTGRES_CLIENT.query_timeout } = input
  const pool = new pg.Pool({
    ...POSTGRES_CLIENT,
    query_timeout: queryTimeoutMs,
    connectionString: url,
    max: poolSize,
    keepAlive: true,
  })
  // An idle connection that breaks leaves the pool by itself; unheard, its error ends the process.
  pool.on('error', () => {})
  const store = createStore({
    // Of a pool Drizzle uses this one method, unless it is told to begin a transaction.
    db: drizzle(withStatementNames(pool, { prepared, onLost: onNamesLost }) as pg.Pool),
    place: { kind: 'postgres' },
    close: () => pool.end(),
  })
  return { ...store, ...coalesceReads(store) }
}
