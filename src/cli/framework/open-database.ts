import { existsSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import { openStore } from '../../store/drivers/open-store.ts'
import type { Store } from '../../store/store.ts'
import { explainFault } from './explain-fault.ts'

/** Who the audit log names for changes made on this machine. */
export const COMMAND_LINE = 'command line'

/**
 * Runs a command on the configured database and closes it again. A data directory may be in use by
 * a running service. One that does not exist is made only where the command can be the first: a
 * mistyped name would else be an empty database with nothing to find in it.
 */
export async function withDatabase(
  config: Config,
  use: { readonly mayCreate: boolean },
  run: (store: Store, config: Config) => Promise<number>,
): Promise<number> {
  const { database, dataDir } = config
  if (database.kind === 'embedded' && !use.mayCreate && !existsSync(dataDir)) {
    throw new Error(
      `there is no data directory ${dataDir}: name the one of the service (--data, DATA_DIR), or its PostgreSQL (DATABASE_URL)`,
    )
  }
  try {
    const store = await openStore(database)
    try {
      return await run(store, config)
    } finally {
      await store.close()
    }
  } catch (error) {
    throw explainFault(error, config)
  }
}
