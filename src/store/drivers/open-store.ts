import type { Store } from '../store.ts'
import { checkPostgres } from '../system/migrate.ts'
import { openEmbeddedStore, openMemoryStore } from './embedded.ts'
import { openPostgresStore } from './postgres.ts'
import type { StatementLimits, StoreUse } from './statement-limits.ts'

export type StoreConfig =
  | {
      readonly kind: 'embedded'
      /** A directory of its own, made if need be, on a local disk; or a database that is forgotten. */
      readonly dataDir: string | 'memory'
    }
  | {
      readonly kind: 'postgres'
      readonly url: string
      readonly poolSize: number
      /** `off` where it is known that a pooler stands between; `auto` finds out. */
      readonly prepared?: 'auto' | 'off'
      /** In place of `STATEMENT_LIMITS`. */
      readonly limits?: Readonly<Record<StoreUse, StatementLimits>>
    }

/** What is found about the way to the server, for the log. */
export type DatabaseNotice = 'database_pooler_found' | 'prepared_statements_lost'

/**
 * Opens the store that the configuration names (Node only; a Worker calls `openHyperdriveStore`).
 *
 * An embedded database is migrated; PostgreSQL is not, and a server whose schema is not that of
 * this build is refused with `SchemaNotCurrentError`. A data directory that another process owns is
 * reached through that process.
 */
export async function openStore(
  config: StoreConfig,
  tell: (notice: DatabaseNotice) => void = () => {},
): Promise<Store> {
  if (config.kind === 'postgres') {
    const { pooled } = await checkPostgres(config.url)
    const looks = config.prepared !== 'off'
    if (looks && pooled) tell('database_pooler_found')
    const onNamesLost = () => tell('prepared_statements_lost')
    return openPostgresStore({ ...config, prepared: looks && !pooled, pooled, onNamesLost })
  }
  return config.dataDir === 'memory' ? openMemoryStore() : openEmbeddedStore(config.dataDir)
}
