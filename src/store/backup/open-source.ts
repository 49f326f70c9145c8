import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { readOwner, socketOf } from '../drivers/directory-claim.ts'
import {
  claimFolder,
  DATABASE_FOLDER,
  makePrivateFolder,
  STORE_FOLDER,
} from '../drivers/embedded.ts'
import { connectToOwner } from '../drivers/guest-connection.ts'
import { DataDirectoryBusyError } from '../store-error.ts'
import type { RunStatement } from './fingerprint.ts'

/** An embedded database that is to be backed up. */
export type BackupSource = {
  /** Of PostgreSQL's own files. */
  readonly folder: string
  /** Whether a running process has it open, through which statements go. */
  readonly isLive: boolean
  readonly run: RunStatement
  readonly close: () => Promise<void>
}

/** Its name in the folder of the store: claimed by the one backup that may be under way. */
const BACKUP_FOLDER = 'backup'

/**
 * The database of a data directory for a backup, through the process that has it open or else opened
 * here. It is never migrated, so that a newer version can back up what an older one made, and it may
 * not be missing. Throws `DataDirectoryBusyError` while another backup is under way.
 */
export async function openBackupSource(dataDir: string): Promise<BackupSource> {
  const store = resolve(dataDir, STORE_FOLDER)
  const folder = join(store, DATABASE_FOLDER)
  if (!existsSync(folder)) throw new Error(`there is no database in ${resolve(dataDir)}`)
  const claimed = await claimFolder(await makePrivateFolder(join(store, BACKUP_FOLDER)))
  if (claimed === undefined) {
    throw new DataDirectoryBusyError(
      `another backup of ${resolve(dataDir)} is under way: wait for it`,
    )
  }
  try {
    const opened = (await reachOwner(store)) ?? (await openHere(store, folder))
    const close = async () => {
      await opened.close()
      await claimed.leave()
    }
    return { ...opened, folder, close }
  } catch (error) {
    await claimed.leave()
    throw error
  }
}

type Opened = Omit<BackupSource, 'folder'>

async function reachOwner(store: string): Promise<Opened | undefined> {
  const owner = await readOwner(store)
  if (owner === null) return undefined
  const connection = await connectToOwner(socketOf(store, owner))
  return {
    isLive: true,
    async run(sql) {
      const rows = await connection.request({ sql, params: [], asArrays: false })
      return rows as readonly Readonly<Record<string, unknown>>[]
    },
    close: async () => connection.close(),
  }
}

async function openHere(store: string, folder: string): Promise<Opened> {
  const claimed = await claimFolder(store)
  if (claimed === undefined) {
    throw new DataDirectoryBusyError('a service has just started: run the backup again')
  }
  try {
    const database = await openDatabaseFolder(folder)
    const close = async () => {
      await database.close()
      await claimed.leave()
    }
    return { isLive: false, run: database.run, close }
  } catch (error) {
    await claimed.leave()
    throw error
  }
}

/** Opens PostgreSQL's own files; mends them first where they are a base backup. */
export async function openDatabaseFolder(
  folder: string,
): Promise<{ readonly run: RunStatement; readonly close: () => Promise<void> }> {
  const client = await PGlite.create(folder)
  return {
    run: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    close: () => client.close(),
  }
}
