import { existsSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import type { Config } from '../../config/config.ts'
import { openStore } from '../../store/drivers/open-store.ts'
import type { Store } from '../../store/store.ts'
import { explainFault } from './explain-fault.ts'

/**
 * Who the audit log names for changes by a command: `cli:alice@host`, the user of the operating system that
 * runs it, and the machine that it runs on. No API client is named so.
 */
export const COMMAND_LINE = nameActor(readUser(), hostname())

/** Names are letters, digits and `._-` of any alphabet, and others `_`; each is cut to 64 characters. */
export function nameActor(user: string, host: string): string {
  const name = (text: string) => text.replace(/[^\p{L}\p{N}._-]/gu, '_').slice(0, 64) || 'unknown'
  return `cli:${name(user)}@${name(host)}`
}

/** By its number where it has no name, as in many containers. */
function readUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

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
