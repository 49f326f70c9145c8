import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { codeOf } from '../../base/error-code.ts'
import { ok, type Result } from '../../base/result.ts'
import { SECRET_FILE } from '../../keys/secret-file.ts'
import {
  claimFolder,
  DATABASE_FOLDER,
  makePrivateFolder,
  STORE_FOLDER,
} from '../../store/drivers/embedded.ts'
import { DataDirectoryBusyError } from '../../store/store-error.ts'
import type { BackupDescription } from './description.ts'
import { type BackupFailure, type UnpackedBackup, unpackBackup } from './unpack.ts'

/**
 * Makes a data directory of a backup, verified as `unpackBackup` says before it is in its place. Replaces
 * nothing: throws for a directory that has a database, or another secret than the backup's.
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
  const draft = await mkdtemp(join(store, 'restoring-'))
  try {
    const unpacked = await unpackBackup(file, draft)
    if (!unpacked.ok) return unpacked
    await putSecret(dataDir, unpacked.value)
    if (existsSync(place)) throw occupied(dataDir)
    await rename(unpacked.value.database, place)
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

async function putSecret(dataDir: string, { secret }: UnpackedBackup): Promise<void> {
  if (secret === undefined) return
  const path = resolve(dataDir, SECRET_FILE)
  try {
    await writeFile(path, secret, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    if ((await readFile(path, 'utf8')).trim() === secret.trim()) return
    throw new Error(`${path} is another secret than that of the backup: move it away`)
  }
}
