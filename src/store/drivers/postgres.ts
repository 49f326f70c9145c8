import { drizzle } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import { createStore } from '../create-store.ts'
import { coalesceReads } from '../devices/coalesced-reads.ts'
import type { Store } from '../store.ts'
import { type LimitedPool, openLimitedPool } from './limited-pool.ts'
import { limitLists } from './list-places.ts'
import { listenOnPostgres } from './listen.ts'
import {
  STATEMENT_LIMITS,
  STORE_USES,
  type StatementLimits,
  type StoreUse,
  shareConnections,
} from './statement-limits.ts'
import { withStatementNames } from './statement-names.ts'

export type PostgresPlace = {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** The most connections at once, which `shareConnections` shares out among the uses. */
  readonly poolSize: number
  /** Whether statements are prepared under names, which no pooler between may forget. */
  readonly prepared?: boolean
  /**
   * Whether something between hands statements on: limits then go with each statement. Where that is
   * not known, it is found out when a connection with limits is refused.
   */
  readonly pooled?: boolean
  /** In place of `STATEMENT_LIMITS`. */
  readonly limits?: Readonly<Record<StoreUse, StatementLimits>>
  /** Told once when names turn out to be forgotten; from then on there are none. */
  readonly onNamesLost?: () => void
}

/**
 * The store on a PostgreSQL server, through pools of `pg`'s connections, one for each use, for a
 * process whose requests may share them; on Workers they may not (`openHyperdriveStore`). Connects
 * when first used. Does not look at the schema: `openStore` does, where there are files.
 */
export function openPostgresStore(input: PostgresPlace): Store {
  const { url, poolSize, prepared = true, pooled = false, limits = STATEMENT_LIMITS } = input
  const connections = shareConnections(poolSize)
  const used: [StoreUse, LimitedPool][] = []
  const close = async () => {
    await Promise.all(used.map(([, pool]) => pool.close()))
  }
  const pools = () => Object.fromEntries(used.map(([use, pool]) => [use, pool.state()]))
  const onLost = onlyOnce(input.onNamesLost)
  const prepareUse = (use: StoreUse, pool: LimitedPool): Store => {
    const store = createStore({
      // Of a pool Drizzle uses this one method, unless it is told to begin a transaction.
      db: drizzle(withStatementNames(pool, { prepared, onLost }) as pg.Pool),
      place: { kind: 'postgres' },
      close,
      forUse: storeOf,
    })
    const listen = async (onSignal: () => void) => listenOnPostgres(url, onSignal)
    const opened = { ...store, ...coalesceReads(store), pools, ...(!pooled && { listen }) }
    if (use !== 'administration') return opened
    return { ...opened, ...limitLists(store, connections.administration - 1) }
  }
  const opened = Object.fromEntries(
    STORE_USES.map((use) => {
      const pool = openLimitedPool({ url, most: connections[use], limits: limits[use], pooled })
      used.push([use, pool])
      return [use, onDemand(() => prepareUse(use, pool))]
    }),
  ) as Record<StoreUse, () => Store>
  const storeOf = (use: StoreUse) => opened[use]()
  return storeOf('administration')
}

/** Hundreds of statements are written out for a store, which a command needs for one use of four. */
function onDemand<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function onlyOnce(tell: (() => void) | undefined): () => void {
  let isTold = false
  return () => {
    if (!isTold) tell?.()
    isTold = true
  }
}
