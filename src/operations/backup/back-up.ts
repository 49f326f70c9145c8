import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { link, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { toHex } from '../../base/encoding.ts'
import { codeOf } from '../../base/error-code.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { VERSION } from '../../base/version.ts'
import { SECRET_FILE } from '../../keys/secret-file.ts'
import { sizeOf, type WriteBytes, writeBaseBackup } from '../../store/backup/base-backup.ts'
import { type BackupSource, openBackupSource } from '../../store/backup/open-source.ts'
import { TAR_END, tarHeader, tarPadding } from '../../store/backup/tar.ts'
import {
  type BackupDescription,
  DATABASE_PREFIX,
  DESCRIPTION_NAME,
  SECRET_NAME,
  writeDescription,
} from './description.ts'
import { type BackupFailure, unpackBackup } from './unpack.ts'

export type MadeBackup = {
  readonly description: BackupDescription
  /** Whether a running service had the database open. */
  readonly isLive: boolean
  /** Of the file. */
  readonly bytes: number
}

/** What a long backup does now, and how much of it is done. */
export type TellBackup = (phase: 'copying' | 'verifying', done: number, total: number) => void

/**
 * Writes the embedded database of a data directory into one file that only this user can read, while the
 * service runs or not: its rows, its history and, unless told otherwise, `secret.key`. The file appears
 * under its name when it has been restored into a folder of its own and found to hold what the database
 * held. `failure` says what was not found then. Throws where `file` is there already (`EEXIST`).
 */
export async function backUp(input: {
  readonly dataDir: string
  readonly file: string
  readonly withSecret: boolean
  readonly clock: () => Date
  readonly tell: TellBackup
}): Promise<Result<MadeBackup, BackupFailure>> {
  const { dataDir, file, tell } = input
  const draft = `${file}.${toHex(randomBytes(8))}.partial`
  const source = await openBackupSource(dataDir)
  try {
    await writeArchive(draft, source, input).finally(source.close)
    tell('verifying', 0, 1)
    const verified = await verify(draft)
    if (!verified.ok) return verified
    const bytes = await settle(draft)
    await link(draft, file)
    return ok({ description: verified.value, isLive: source.isLive, bytes })
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeArchive(
  draft: string,
  source: BackupSource,
  input: Pick<Parameters<typeof backUp>[0], 'dataDir' | 'withSecret' | 'clock' | 'tell'>,
): Promise<void> {
  const { dataDir, withSecret, clock, tell } = input
  const target = createWriteStream(draft, { flags: 'wx', mode: 0o600 })
  const zip = createGzip({ level: 3 })
  const written = finished(zip.pipe(target))
  // Told where it is awaited; until then nobody may miss it.
  written.catch(() => {})
  target.on('error', (error) => zip.destroy(error))
  const write: WriteBytes = async (bytes) => {
    if (!zip.write(bytes)) await Promise.race([once(zip, 'drain'), written])
  }
  const now = clock()
  const total = await sizeOf(source.folder)
  const base = await writeBaseBackup({
    ...{ folder: source.folder, prefix: DATABASE_PREFIX, run: source.run, write },
    tell: (done) => tell('copying', done, total),
  })
  const secret = withSecret ? await readSecret(dataDir) : undefined
  const facts = { version: VERSION, hasSecret: secret !== undefined, now }
  if (secret !== undefined) await writeText(write, SECRET_NAME, secret, now)
  await writeText(write, DESCRIPTION_NAME, writeDescription(base, facts), now)
  await write(TAR_END)
  zip.end()
  await written
}

async function writeText(write: WriteBytes, name: string, text: string, modified: Date) {
  const bytes = Buffer.from(text)
  await write(tarHeader({ kind: 'file', name, size: bytes.length, mode: 0o600, modified }))
  await write(bytes)
  await write(tarPadding(bytes.length))
}

/** `undefined` where the service is given its secret otherwise. */
async function readSecret(dataDir: string): Promise<string | undefined> {
  try {
    return await readFile(join(dataDir, SECRET_FILE), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Restores the draft beside itself, where there is room for the file too, and removes that again. */
async function verify(draft: string): Promise<Result<BackupDescription, BackupFailure>> {
  const folder = await mkdtemp(join(dirname(draft), '.verifying-'))
  try {
    const unpacked = await unpackBackup(draft, folder)
    return unpacked.ok ? ok(unpacked.value.description) : err(unpacked.failure)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Has the disk take the file. Answers its size. */
async function settle(draft: string): Promise<number> {
  const file = await open(draft, 'r+')
  try {
    await file.sync()
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}
