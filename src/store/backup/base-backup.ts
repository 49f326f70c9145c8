import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../../base/encoding.ts'
import { codeOf } from '../../base/error-code.ts'
import { type Fingerprint, fingerprintQuery, listTables, type RunStatement } from './fingerprint.ts'
import { MANIFEST_FILE, type ManifestFile, writeManifest } from './manifest.ts'
import { type TarHeader, tarHeader, tarPadding } from './tar.ts'

/** Writes the next bytes of an archive. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>

/** What a base backup holds beside its files. */
export type BaseBackup = {
  readonly fingerprint: Fingerprint
  /** Migrations that the database has, by their times in the journal. */
  readonly migrations: readonly number[]
  /** `server_version` of PostgreSQL. */
  readonly engine: string
  /** Of all files. */
  readonly bytes: number
}

/**
 * What a restored server makes anew, or must not find (PostgreSQL documentation, "Making a Base Backup
 * Using the Low Level API", 4): directories whose content is left out, and files.
 */
const EMPTY_FOLDERS =
  /^(?:pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)$/
const LEFT_OUT = /^(?:postmaster\.(?:pid|opts)|pg_internal\.init.*|pgsql_tmp.*)$/

/** SQLSTATE `object_not_in_prerequisite_state`: here that the session is in a backup already. */
const IN_BACKUP = '55000'

const CHUNK_BYTES = 256 * 1024

/**
 * Writes the files of a running embedded database as an archive, under `prefix`, while others work on
 * it: PostgreSQL's own procedure for that (`pg_backup_start`, copy, `pg_backup_stop`, and the log that
 * was written meanwhile). What is torn, or came while the files were read, the log mends when the copy
 * is first opened.
 *
 * Nobody else may be doing the same. A predecessor that died halfway has left the session in a backup,
 * which is ended first. The fingerprint is taken in the statement that ends the backup: the database has
 * one session, so it is what the copy will hold.
 */
export async function writeBaseBackup(input: {
  /** The data directory of the database. */
  readonly folder: string
  readonly prefix: string
  readonly run: RunStatement
  readonly write: WriteBytes
  /** Told of the bytes of files that have been written. */
  readonly tell: (bytes: number) => void
}): Promise<BaseBackup> {
  const { folder, run } = input
  const archive = createArchive(input)
  const start = await begin(run)
  let stop: Stop
  try {
    await addFolder(archive, folder, '')
  } finally {
    stop = await end(run)
  }
  await archive.addText('backup_label', stop.label)
  await addLog(archive, folder, { from: start.segment, to: stop.segment })
  const wal = { timeline: Number(start.timeline), start: start.lsn, end: stop.lsn }
  const manifest = writeManifest(archive.files(), wal)
  await archive.addText(MANIFEST_FILE, manifest)
  const { fingerprint, migrations, engine } = stop
  return { fingerprint, migrations, engine, bytes: archive.bytes() }
}

type Start = { readonly lsn: string; readonly segment: string; readonly timeline: string }

async function begin(run: RunStatement): Promise<Start> {
  // Names of log files begin with the number of the timeline, in hexadecimal.
  const statement = `select lsn::text, pg_walfile_name(lsn) as segment,
    ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int::text as timeline
    from pg_backup_start('countersign', true) as lsn`
  const started = await run(statement).catch(async (error) => {
    if (codeOf(error) !== IN_BACKUP) throw error
    await run('select pg_backup_stop(false)')
    return run(statement)
  })
  const [row] = started
  return {
    lsn: String(row?.lsn),
    segment: String(row?.segment),
    timeline: String(row?.timeline),
  }
}

type Stop = Omit<BaseBackup, 'bytes'> & {
  readonly lsn: string
  readonly segment: string
  readonly label: string
}

async function end(run: RunStatement): Promise<Stop> {
  const tables = await listTables(run)
  const [row] = await run(`
    with prints as materialized (${fingerprintQuery(tables)})
    select fingerprint::text, lsn::text, pg_walfile_name(lsn) as segment, labelfile,
      current_setting('server_version') as engine,
      (select jsonb_agg(created_at order by created_at)::text
        from drizzle.__drizzle_migrations) as migrations
    from prints, pg_backup_stop(false)`)
  return {
    fingerprint: JSON.parse(String(row?.fingerprint)),
    migrations: JSON.parse(String(row?.migrations)).map(Number),
    engine: String(row?.engine),
    lsn: String(row?.lsn),
    segment: String(row?.segment),
    label: String(row?.labelfile),
  }
}

type Archive = {
  readonly addFolder: (path: string) => Promise<void>
  /** What has gone since it was listed is passed over: the log says so to the copy. */
  readonly addFile: (path: string) => Promise<boolean>
  readonly addText: (path: string, text: string) => Promise<void>
  readonly files: () => readonly ManifestFile[]
  readonly bytes: () => number
}

function createArchive(input: {
  readonly folder: string
  readonly prefix: string
  readonly write: WriteBytes
  readonly tell: (bytes: number) => void
}): Archive {
  const { folder, prefix, write, tell } = input
  const files: ManifestFile[] = []
  let written = 0
  const header = (path: string, rest: Omit<TarHeader, 'name'>) =>
    write(tarHeader({ name: `${prefix}/${path}`, ...rest }))

  const addBytes = async (
    path: string,
    { size, modified }: { readonly size: number; readonly modified: Date },
    parts: AsyncIterable<Uint8Array>,
  ) => {
    const hash = createHash('sha256')
    await header(path, { kind: 'file', size, mode: 0o600, modified })
    for await (const part of parts) {
      hash.update(part)
      await write(part)
      written += part.length
      tell(written)
    }
    await write(tarPadding(size))
    files.push({ path, size, modified, sha256: toHex(hash.digest()) })
  }

  return {
    addFolder: (path) =>
      header(path, { kind: 'directory', size: 0, mode: 0o700, modified: new Date(0) }),
    async addFile(path) {
      const file = await openIfThere(join(folder, path))
      if (file === undefined) return false
      try {
        const { size, mtime } = await file.stat()
        await addBytes(path, { size, modified: mtime }, readExactly(file, size))
        return true
      } finally {
        await file.close()
      }
    },
    async addText(path, text) {
      const bytes = Buffer.from(text)
      await addBytes(path, { size: bytes.length, modified: new Date() }, once(bytes))
    },
    files: () => files,
    bytes: () => written,
  }
}

async function addFolder(archive: Archive, folder: string, path: string): Promise<void> {
  for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
    const inner = path === '' ? entry.name : `${path}/${entry.name}`
    if (LEFT_OUT.test(entry.name)) continue
    if (!entry.isDirectory()) {
      await archive.addFile(inner)
      continue
    }
    await archive.addFolder(inner)
    if (!EMPTY_FOLDERS.test(inner)) await addFolder(archive, folder, inner)
  }
}

/** The segments of the log that lead from the beginning of the backup to its end. */
async function addLog(
  archive: Archive,
  folder: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const names = (await readdir(join(folder, 'pg_wal'))).filter((name) =>
    /^[0-9A-F]{24}$/.test(name),
  )
  const needed = names.filter((name) => name >= from && name <= to).sort()
  for (const name of needed) {
    if (await archive.addFile(`pg_wal/${name}`)) continue
    throw new Error(`the log file ${name} has gone while it was read: run the backup again`)
  }
  if (needed[0] !== from || needed.at(-1) !== to) {
    throw new Error('log files of the backup are gone: run it again')
  }
}

/** Exactly `size` bytes: zeros where the file has become shorter meanwhile, which the log mends. */
async function* readExactly(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, size - at))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    const part = bytesRead === 0 ? buffer : buffer.subarray(0, bytesRead)
    at += part.length
    yield part
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Bytes that a database takes, about: for progress. */
export async function sizeOf(folder: string): Promise<number> {
  let size = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || /\/pg_wal$/.test(entry.parentPath)) continue
    size += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return size
}
