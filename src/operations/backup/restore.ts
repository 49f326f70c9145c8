import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ok, type Result } from '../../base/result.ts'
import { placeSecretFile, SECRET_FILE } from '../../keys/secret-file.ts'
import {
  claimFolder,
  DATABASE_FOLDER,
  makePrivateFolder,
  RESTORING,
  STORE_FOLDER,
} from '../../store/drivers/embedded.ts'
import { DataDirectoryBusyError } from '../../store/store-error.ts'
import type { BackupDescription } from './description.ts'
import { type BackupFailure, type UnpackedBackup, unpackBackup } from './unpack.ts'

/**
 * Makes a data directory of a backup. All of it is verified, as `unpackBackup` says, in a folder of its own
 * before anything is in its place. Replaces nothing: throws for a directory that has a database, or another secret
 * than the backup's.
 */
export async function restoreBackup(input: {
  readonly file: string
  readonly dataDir: string
}): Promise<Result<BackupDescription, BackupFailure>> {
  const { file, dataDir } = input
  const store = resolve(dataDir, STORE_FOLDER)
  const place = join(store, DATABASE_FOLDER)
  if (existsSync(place)) throw occupied(dataDir)
  const claimed = await claimFolder(await makePrivateFolder(store))
  if (claimed === undefined)
    throw new DataDirectoryBusyError(`${store} is in use: stop the service`)
  const draft = await mkdtemp(join(store, RESTORING))
  try {
    const unpacked = await unpackBackup(file, draft)
    if (!unpacked.ok) return unpacked
    if (existsSync(place)) throw occupied(dataDir)
    await putInPlace(unpacked.value, { place, secretFile: resolve(dataDir, SECRET_FILE) })
    return ok(unpacked.value.description)
  } finally {
    await rm(draft, { recursive: true, force: true })
    await claimed.leave()
  }
}

function occupied(dataDir: string): Error {
  return new Error(
    `${resolve(dataDir)} has a database already: name another directory, or move this one away`,
  )
}

/**
 * The secret first: a start in between finds no database, and one with another secret could open nothing. Where
 * the database does not come after it, it is taken away again.
 */
async function putInPlace(
  { database, secret }: UnpackedBackup,
  { place, secretFile }: { readonly place: string; readonly secretFile: string },
): Promise<void> {
  const isPlaced = secret !== undefined && (await placeSecretFile(secretFile, secret))
  if (secret !== undefined && !isPlaced) await requireSame(secretFile, secret)
  try {
    await rename(database, place)
  } catch (error) {
    if (isPlaced) await rm(secretFile, { force: true })
    throw error
  }
}

async function requireSame(path: string, secret: string): Promise<void> {
  if ((await readFile(path, 'utf8')).trim() === secret.trim()) return
  throw new Error(`${path} is another secret than that of the backup: move it away`)
}
