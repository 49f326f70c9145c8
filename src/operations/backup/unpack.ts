import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { toHex } from '../../base/encoding.ts'
import { codeOf } from '../../base/error-code.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { parseMasterSecret } from '../../keys/master-secret.ts'
import {
  type Fingerprint,
  fingerprintQuery,
  listDifferences,
  listTables,
} from '../../store/backup/fingerprint.ts'
import { MANIFEST_FILE, type ManifestFile, readManifest } from '../../store/backup/manifest.ts'
import { openDatabaseFolder } from '../../store/backup/open-source.ts'
import { readTar, type TarFailure, type TarHeader, type TarSink } from '../../store/backup/tar.ts'
import { unknownMigrations } from '../../store/system/migration-files.ts'
import {
  type BackupDescription,
  DATABASE_PREFIX,
  DESCRIPTION_NAME,
  readDescription,
  SECRET_NAME,
} from './description.ts'

export const BACKUP_REASONS = [
  'backup_foreign',
  'backup_damaged',
  'backup_of_newer_version',
  'backup_differs',
] as const

/** Why a file is not restored. */
export type BackupFailure =
  | TarFailure
  /** It is an archive, and none that `backup` made. */
  | { readonly reason: 'backup_foreign' }
  /** A file is not what the manifest says, or the manifest names what no database has. */
  | { readonly reason: 'backup_damaged'; readonly path: string }
  /** It has migrations that this version does not know. */
  | { readonly reason: 'backup_of_newer_version'; readonly version: string }
  /** Tables in which the restored database is not what was backed up. */
  | { readonly reason: 'backup_differs'; readonly tables: readonly string[] }

export type UnpackedBackup = {
  readonly description: BackupDescription
  /** Whole and opened once, which mended it: a database that was closed properly. */
  readonly database: string
  /** The file `secret.key`, where it was in the backup. */
  readonly secret: string | undefined
}

/**
 * Unpacks a backup into an empty folder and verifies it: each file against PostgreSQL's manifest, then
 * the number and the hash of the rows of every table of the database that comes of it.
 */
export async function unpackBackup(
  file: string,
  folder: string,
): Promise<Result<UnpackedBackup, BackupFailure>> {
  const unpacked = await unpack(file, folder)
  if (!unpacked.ok) return unpacked
  const description = readDescription((await readIfThere(join(folder, DESCRIPTION_NAME))) ?? '')
  if (description === undefined) return err({ reason: 'backup_foreign' })
  if (unknownMigrations(description.migrations).length > 0) {
    return err({ reason: 'backup_of_newer_version', version: description.version })
  }
  const secret = await readIfThere(join(folder, SECRET_NAME))
  const isWhole = secret === undefined ? !description.has_secret : isMasterSecret(secret)
  if (!isWhole) return err({ reason: 'backup_damaged', path: SECRET_NAME })
  const database = join(folder, DATABASE_PREFIX)
  const damaged = await findDamage(database)
  if (damaged !== undefined) return err({ reason: 'backup_damaged', path: damaged })
  const tables = listDifferences(description.tables, await readFingerprint(database))
  if (tables.length > 0) return err({ reason: 'backup_differs', tables })
  return ok({ description, database, secret })
}

function isMasterSecret(text: string): boolean {
  return parseMasterSecret(text) !== undefined
}

async function unpack(
  file: string,
  folder: string,
): Promise<Result<null, TarFailure | { readonly reason: 'backup_foreign' }>> {
  const sink = createSink(folder)
  try {
    // A fault of the file itself is told by the stream that reads it, and that of its content by zlib.
    const source = createReadStream(file)
    const unzipped = createGunzip()
    source.on('error', (error) => unzipped.destroy(error))
    return await readTar(source.pipe(unzipped), sink)
  } catch (error) {
    if (error instanceof ForeignEntry) return err({ reason: 'backup_foreign' })
    if (codeOf(error) === 'Z_BUF_ERROR') return err({ reason: 'archive_truncated' })
    if (codeOf(error)?.startsWith('Z_')) return err({ reason: 'archive_malformed' })
    throw error
  } finally {
    await sink.close()
  }
}

class ForeignEntry extends Error {}

function createSink(folder: string): TarSink & { readonly close: () => Promise<void> } {
  let file: FileHandle | undefined
  const close = async () => {
    await file?.close()
    file = undefined
  }
  return {
    async begin({ kind, name }) {
      if (!isOurs(kind, name)) throw new ForeignEntry()
      const path = join(folder, name)
      const holder = kind === 'directory' ? path : join(path, '..')
      await mkdir(holder, { recursive: true, mode: 0o700 })
      if (kind === 'file') file = await open(path, 'wx', 0o600).catch(rethrowForeign)
    },
    async write(bytes) {
      await file?.writeFile(bytes)
    },
    end: close,
    close,
  }
}

/** A name that is there twice. */
function rethrowForeign(error: unknown): never {
  throw codeOf(error) === 'EEXIST' ? new ForeignEntry() : error
}

function isOurs(kind: TarHeader['kind'], name: string): boolean {
  if (name.startsWith(`${DATABASE_PREFIX}/`)) return true
  if (kind === 'directory') return name === DATABASE_PREFIX
  return name === SECRET_NAME || name === DESCRIPTION_NAME
}

/** The first file that is missing, too many or not what the manifest says. */
async function findDamage(database: string): Promise<string | undefined> {
  const listed = readManifest((await readIfThere(join(database, MANIFEST_FILE))) ?? '')
  if (listed === undefined) return MANIFEST_FILE
  for (const file of listed) {
    if (!(await isWhole(database, file))) return file.path
  }
  const expected = new Set([...listed.map(({ path }) => join(database, path))])
  const entries = await readdir(database, { withFileTypes: true, recursive: true })
  const surplus = entries.find((entry) => {
    const path = join(entry.parentPath, entry.name)
    return entry.isFile() && !expected.has(path) && path !== join(database, MANIFEST_FILE)
  })
  return surplus?.name
}

async function isWhole(database: string, { path, size, sha256 }: ManifestFile): Promise<boolean> {
  const hash = createHash('sha256')
  let read = 0
  try {
    for await (const part of createReadStream(join(database, path))) {
      hash.update(part)
      read += part.length
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
  return read === size && toHex(hash.digest()) === sha256
}

async function readFingerprint(database: string): Promise<Fingerprint> {
  const { run, close } = await openDatabaseFolder(database)
  try {
    const [row] = await run(
      `select fingerprint::text from (${fingerprintQuery(await listTables(run))}) as one`,
    )
    return JSON.parse(String(row?.fingerprint))
  } finally {
    await close()
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
