import { createHash } from 'node:crypto'
import { toHex } from '../../base/encoding.ts'
import { isPlainPath } from './tar.ts'

/*
 * `backup_manifest` of PostgreSQL (documentation, "Backup Manifest Format"): which files a base backup
 * has, with their SHA-256, so that `pg_verifybackup` can check one too. Version 1, which all have.
 */

export const MANIFEST_FILE = 'backup_manifest'

export type ManifestFile = {
  /** Relative to the data directory. */
  readonly path: string
  readonly size: number
  readonly modified: Date
  /** Hexadecimal. */
  readonly sha256: string
}

export type WalRange = {
  readonly timeline: number
  /** As PostgreSQL writes a `pg_lsn`. */
  readonly start: string
  readonly end: string
}

/** The text of a manifest. Its own checksum covers all lines before the last. */
export function writeManifest(files: readonly ManifestFile[], wal: WalRange): string {
  const rows = files.map(({ path, size, modified, sha256 }) =>
    JSON.stringify({
      Path: path,
      Size: size,
      'Last-Modified': `${modified.toISOString().slice(0, 19).replace('T', ' ')} GMT`,
      'Checksum-Algorithm': 'SHA256',
      Checksum: sha256,
    }),
  )
  const range = { Timeline: wal.timeline, 'Start-LSN': wal.start, 'End-LSN': wal.end }
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
${rows.join(',\n')}
],
"WAL-Ranges": [
${JSON.stringify(range)}
],
`
  const sum = toHex(createHash('sha256').update(body).digest())
  return `${body}"Manifest-Checksum": "${sum}"}\n`
}

/**
 * The files of a manifest that is whole; `undefined` for anything else. Its checksum is no signature, and anybody can
 * make one: so it may name, each once, only what a data directory of PostgreSQL has (documentation, "Database
 * File Layout") that leads nowhere else and changes nothing of how it is started.
 */
export function readManifest(text: string): readonly ManifestFile[] | undefined {
  const at = text.lastIndexOf('"Manifest-Checksum"')
  const sum = toHex(createHash('sha256').update(text.slice(0, at)).digest())
  if (at < 0 || text.slice(at) !== `"Manifest-Checksum": "${sum}"}\n`) return undefined
  const files = listedIn(text)?.map((file) => ({
    path: String(file.Path),
    size: Number(file.Size),
    modified: new Date(String(file['Last-Modified'])),
    sha256: String(file.Checksum),
  }))
  const names = files?.map(({ path }) => path) ?? []
  return names.every(isExpected) && new Set(names).size === names.length ? files : undefined
}

function listedIn(text: string): readonly Readonly<Record<string, unknown>>[] | undefined {
  try {
    const { Files: files }: { readonly Files?: unknown } = JSON.parse(text)
    const isList = Array.isArray(files) && files.every((file) => Object(file) === file)
    return isList ? files : undefined
  } catch {
    return undefined
  }
}

const FILES =
  /^(?:PG_VERSION|backup_label|postgresql\.conf|postgresql\.auto\.conf|pg_hba\.conf|pg_ident\.conf)$/
/** Not `pg_tblspc`, whose entries lead elsewhere. */
const FOLDERS =
  /^(?:base|global|pg_(?:commit_ts|dynshmem|logical|multixact|notify|replslot|serial|snapshots|stat|stat_tmp|subtrans|twophase|wal|xact))\//

function isExpected(path: string): boolean {
  return isPlainPath(path) && (FILES.test(path) || FOLDERS.test(path))
}
