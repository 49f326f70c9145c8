import { openEmbeddedStore, openMemoryStore } from './embedded.ts'
import { checkPostgres } from './migrate.ts'
import { openPostgresStore } from './postgres.ts'
import type { Store } from './store.ts'

export type StoreConfig =
  | {
      readonly kind: 'embedded'
      /** A directory of its own, made if need be, on a local disk; or a database that is forgotten. */
      readonly dataDir: string | 'memory'
    }
  | { readonly kind: 'postgres'; readonly url: string; readonly poolSize: number }

/**
 * Opens the store that the configuration names (Node only; a Worker calls `openHyperdriveStore`).
 *
 * An embedded database is migrated; PostgreSQL is not, and a server whose schema is not that of
 * this build is refused with `SchemaNotCurrentError`. A data directory that another process owns is
 * reached through that process.
 */
export async function openStore(config: StoreConfig): Promise<Store> {
  if (config.kind === 'postgres') {
    await checkPostgres(config.url)
    return openPostgresStore(config)
  }
  return config.dataDir === 'memory' ? openMemoryStore() : openEmbeddedStore(config.dataDir)
}
