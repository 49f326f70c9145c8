import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { readManifest, writeManifest } from '../../../src/store/backup/manifest.ts'

/* That what we write is a manifest says `pg_verifybackup` (test/operations/backup/backup.test.ts). */

const sha256 = createHash('sha256').update('').digest('hex')
const fileAt = (path: string) => ({ path, size: 0, modified: new Date(0), sha256 })
const manifestOf = (...paths: readonly string[]) =>
  writeManifest(paths.map(fileAt), { timeline: 1, start: '0/1', end: '0/2' })

/** Names of files of a real data directory of PostgreSQL 15 and newer. */
const REAL = [
  ...['PG_VERSION', 'backup_label', 'postgresql.auto.conf', 'base/1/2619_fsm', 'global/pg_control'],
  ...['pg_wal/000000010000000000000001', 'pg_multixact/offsets/0000', 'base/5/pg_filenode.map'],
]

test('a manifest names the files of a data directory', () => {
  expect(readManifest(manifestOf(...REAL))).toEqual(REAL.map(fileAt))
})

test.each([
  ...['../x', '../../secret.key', 'base/../../x', 'base/./x', 'base//x', '', '.', 'base/1/..'],
  ...['/etc/hostname', 'base\\..\\x', 'base/x\0y', 'pg_tblspc/16384', 'somewhere/x', 'base'],
  ...['tablespace_map', 'recovery.signal', 'standby.signal', 'postmaster.pid', 'PG_VERSION'],
])('one that names %j is refused, though its checksum is right', (path) => {
  expect(readManifest(manifestOf(...REAL, path))).toBeUndefined()
})

test.each(['', '[', '{ "Files": 1, ', '{ "Files": [null], ', '{ '])(
  'one that is no list of files is refused, though its checksum is right: %j',
  (body) => {
    const sum = createHash('sha256').update(body).digest('hex')
    expect(readManifest(`${body}"Manifest-Checksum": "${sum}"}\n`)).toBeUndefined()
  },
)
