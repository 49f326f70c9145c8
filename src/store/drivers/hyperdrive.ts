import { AsyncLocalStorage } from 'node:async_hooks'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createStore } from '../create-store.ts'
import type { Store } from '../store.ts'
import { APPLICATION_NAME } from './limited-pool.ts'
import { CONNECT_MS, STATEMENT_LIMITS } from './statement-limits.ts'
import { type Queryable, withStatementNames } from './statement-names.ts'

/** The store of an isolate, whose requests each bring a connection of their own. */
export type HyperdriveStore = {
  readonly store: Store
  /**
   * Runs `work`, all of whose statements use one connection, made for the first of them. It is
   * closed after `work`, and after what it is kept open for (`Store.keepOpen`); neither is waited for: `closed` is
   * handed the promise.
   */
  readonly withConnection: <T>(
    work: () => Promise<T>,
    closed: (closing: Promise<void>) => void,
  ) => Promise<T>
  /** Whether the server limits how long a statement may run and wait for a lock. Asked within `work`. */
  readonly hasLimits: () => Promise<boolean>
}

/**
 * What is given up after so long. The limits of the server cannot be set from here: Hyperdrive keeps no
 * setting of a connection, and passes on none of its start. They belong to the role (docs/edge.md).
 */
const CLIENT = {
  application_name: APPLICATION_NAME,
  connectionTimeoutMillis: CONNECT_MS,
  query_timeout: STATEMENT_LIMITS.administration.answerMs,
} as const
const LIMITS = `select current_setting('statement_timeout') <> '0'
  and current_setting('lock_timeout') <> '0' as limited`

/**
 * The store where no request may use what another one opened, as on Cloudflare Workers. Statements
 * are built once, as for a pool; on which connection they run is found when they run. Hyperdrive
 * keeps the connections to the database itself and gives one to each transaction, so that ours
 * costs no round trip to the database, and knows the names of prepared statements.
 */
export function openHyperdriveStore(
  url: string,
  { prepared = true }: { readonly prepared?: boolean } = {},
): HyperdriveStore {
  const current = new AsyncLocalStorage<RequestConnection>()
  const client: Queryable = {
    query(config, values) {
      const connection = current.getStore()
      if (connection === undefined) throw new TypeError('a statement outside of every request')
      return connection.query(config, values)
    },
  }
  // Of a client Drizzle uses this one method, unless it is told to begin a transaction.
  const db = drizzle(withStatementNames(client, { prepared }) as pg.Client)
  return {
    store: createStore({
      ...{ db, place: { kind: 'postgres' }, close: () => Promise.resolve() },
      keepOpen: (until) => current.getStore()?.keepOpen(until),
    }),
    async hasLimits() {
      const { rows } = await client.query({ text: LIMITS }, [])
      return rows[0]?.limited === true
    },
    async withConnection(work, closed) {
      const connection = createRequestConnection(url)
      try {
        return await current.run(connection, work)
      } finally {
        closed(connection.close())
      }
    },
  }
}

type RequestConnection = {
  readonly query: (config: pg.QueryConfig, values: unknown[]) => Promise<pg.QueryResult>
  readonly keepOpen: (until: Promise<unknown>) => void
  readonly close: () => Promise<void>
}

function createRequestConnection(url: string): RequestConnection {
  let client: pg.Client | undefined
  /** Of the last statement, which the next one waits for: a client runs one at a time. */
  let last: Promise<unknown> | undefined
  const keptFor: Promise<unknown>[] = []

  const connect = (): Promise<unknown> => {
    client = new pg.Client({ ...CLIENT, connectionString: url })
    // What fails on it fails with a statement; unheard, the event would be a fault of its own.
    client.on('error', () => {})
    return client.connect()
  }

  return {
    query(config, values) {
      const ready = last?.catch(() => {}) ?? connect()
      const answer = ready.then(() => {
        if (client === undefined) throw new TypeError('not connected')
        return client.query(config, values)
      })
      last = answer
      return answer
    },
    keepOpen(until) {
      keptFor.push(until)
    },
    async close() {
      await Promise.allSettled(keptFor)
      // One that is still connecting or busy belongs to nobody any more.
      await client?.end().catch(() => {})
    },
  }
}
