import pg from 'pg'
import type { PoolState } from '../../base/metrics.ts'
import { QueueFullError } from '../store-error.ts'
import { LimitedQuery } from './limited-query.ts'
import {
  CONNECT_MS,
  IDLE_IN_TRANSACTION_MS,
  type StatementLimits,
  WAITING_MOST,
} from './statement-limits.ts'
import type { Queryable } from './statement-names.ts'

/** How a connection of ours is found among those of the server. */
export const APPLICATION_NAME = 'countersign'

export type LimitedPool = Queryable & {
  /** The connections that it has now, and the statements that wait for one. */
  readonly state: () => PoolState
  readonly close: () => Promise<void>
}

/**
 * Connections whose statements the server ends in time: it is told when a connection starts, or, where
 * a pooler stands between, with each statement. What the client gives up takes its connection with it,
 * so that nobody is handed one on which an answer is still to come.
 */
export function openLimitedPool(input: {
  readonly url: string
  /** The most connections at once. */
  readonly most: number
  readonly limits: StatementLimits
  /** Whether a pooler is known to stand between. */
  readonly pooled: boolean
}): LimitedPool {
  const { limits } = input
  let pooled = input.pooled
  let pool = openPool(input, pooled)

  const send = (config: pg.QueryConfig, values: unknown[]): Promise<pg.QueryResult> => {
    if (pool.waitingCount >= WAITING_MOST) return Promise.reject(new QueueFullError())
    if (!pooled) return pool.query(config, values)
    // A statement that `pg` did not make itself: it answers as all do, to a callback.
    const query = new LimitedQuery(config, values, limits) as unknown as pg.QueryConfig
    return pool.query(query)
  }
  return {
    async query(config, values) {
      try {
        return await send(config, values)
      } catch (error) {
        if (!isStartRefused(error)) throw error
        // A pooler that came after the start. What is refused is refused before anything is executed;
        // the pool of before has no connection, and hands what waits there on in the same way.
        if (!pooled) pool = openPool(input, true)
        pooled = true
        return send(config, values)
      }
    },
    state() {
      const { totalCount, idleCount, waitingCount } = pool
      return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount }
    },
    close: () => pool.end(),
  }
}

function openPool(
  { url, most, limits }: Parameters<typeof openLimitedPool>[0],
  pooled: boolean,
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: limits.answerMs,
    max: most,
    keepAlive: true,
    ...(!pooled && {
      statement_timeout: limits.statementMs,
      lock_timeout: limits.lockMs,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    }),
  })
  // An idle connection that breaks leaves the pool by itself; unheard, its error ends the process.
  pool.on('error', () => {})
  return pool
}

/** PgBouncer and its like name the parameter that they do not pass on. */
function isStartRefused(error: unknown): boolean {
  return error instanceof Error && /unsupported startup parameter/i.test(error.message)
}
