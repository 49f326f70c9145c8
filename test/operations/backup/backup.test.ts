import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadOrCreateSecretFile } from '../../../src/keys/secret-file.ts'
import { backUp } from '../../../src/operations/backup/back-up.ts'
import { restoreBackup } from '../../../src/operations/backup/restore.ts'
import type { BackupFailure } from '../../../src/operations/backup/unpack.ts'
import { readManifest, writeManifest } from '../../../src/store/backup/manifest.ts'
import { openBackupSource } from '../../../src/store/backup/open-source.ts'
import { claimFolder } from '../../../src/store/drivers/embedded.ts'
import { openStore } from '../../../src/store/drivers/open-store.ts'
import { at, attestationOf, newDeviceId } from '../../store/fixtures.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import { makeOnceARun } from '../../support/once-a-run.ts'
import { describePostgres } from '../../support/postgres.ts'
import { POSTGRES_BINARIES } from '../../support/postgres-binaries.ts'
import { programPath } from '../../support/programs.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeTar, tar } from '../../support/tar.ts'

// Databases are made, restored and opened here, on machines that do more besides.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
const WAIT = { timeout: 120_000 }

let folder: string
let dataDir: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-backup-'))
  dataDir = join(folder, 'data')
  file = join(folder, 'backup.tar.gz')
})
afterEach(() => rmSync(folder, { recursive: true }))

async function makeData(): Promise<void> {
  await makeDataDirectory(dataDir)
  await loadOrCreateSecretFile(join(dataDir, 'secret.key'))
}

const open = (path: string) => openStore({ kind: 'embedded', dataDir: path })
const withAll = { withSecret: true, clock: () => at(0), tell: () => {} }
const make = (options: { readonly withSecret?: boolean } = {}) =>
  backUp({ ...withAll, dataDir, file, ...options })
const restore = (name = 'restored') => restoreBackup({ file, dataDir: join(folder, name) })

async function record(path: string, devices: readonly string[]): Promise<void> {
  const store = await open(path)
  for (const deviceId of devices) await store.recordAttestation(attestationOf({ deviceId }))
  await store.close()
}

describe('a backup while nobody has the database open', () => {
  beforeEach(makeData)

  test('holds everything, for this user alone, and is restored by it', async () => {
    const ids = [newDeviceId(), newDeviceId()]
    await record(dataDir, ids)
    const { description, isLive, bytes } = expectOk(await make())
    expect({ isLive, bytes }).toEqual({ isLive: false, bytes: statSync(file).size })
    expect(description.tables['public.device']).toMatchObject({ rows: '2' })
    expect(statSync(file).mode & 0o077).toBe(0)
    // Nothing else is left where it was written, nor where it was read.
    expect(readdirSync(folder).sort()).toEqual(['backup.tar.gz', 'data'])

    expect(expectOk(await restore())).toEqual(description)
    const secret = join(folder, 'restored', 'secret.key')
    expect(readFileSync(secret)).toEqual(readFileSync(join(dataDir, 'secret.key')))
    expect(statSync(secret).mode & 0o077).toBe(0)
    expect(readdirSync(join(folder, 'restored', 'store'))).toEqual(['database'])
    const restored = await open(join(folder, 'restored'))
    for (const id of ids) expect((await restored.trustRecord(id)).record?.deviceId).toBe(id)
    await restored.close()
  })

  test('leaves the secret out when it is told to', async () => {
    expect(expectOk(await make({ withSecret: false })).description.has_secret).toBe(false)
    expectOk(await restore())
    expect(existsSync(join(folder, 'restored', 'secret.key'))).toBe(false)
  })

  test('needs a database, replaces no file, and one is made at a time', async () => {
    const nowhere = backUp({ ...withAll, dataDir: join(folder, 'nowhere'), file })
    await expect(nowhere).rejects.toThrow('there is no database')
    const first = await openBackupSource(dataDir)
    await expect(make()).rejects.toMatchObject({ name: 'DataDirectoryBusyError' })
    await first.close()
    writeFileSync(file, 'precious')
    await expect(make()).rejects.toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })
})

describe('a backup while a process writes', () => {
  beforeEach(makeData)

  test('is one moment of the database, with everything that was acknowledged before it', async () => {
    const script = programPath('test/store/devices/recording-process.ts')
    const config = JSON.stringify({ kind: 'embedded', dataDir })
    const args = [script, '--config', config, '--round', '0', '--devices', '2']
    const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => writer.once('close', resolve))
    let printed = ''
    writer.stdout.on('data', (data) => {
      printed += data
    })
    const acknowledged = () => printed.match(/att_r0-d\d-\d+\n/g) ?? []
    await expect.poll(() => acknowledged().length, WAIT).toBeGreaterThan(5)
    const before = acknowledged().map((line) => line.trim())
    const { isLive, description } = expectOk(await make())
    expect(isLive).toBe(true)
    const seen = acknowledged().length
    await expect.poll(() => acknowledged().length, WAIT).toBeGreaterThan(seen)
    writer.kill('SIGKILL')
    await ended

    expectOk(await restore())
    const restored = await open(join(folder, 'restored'))
    const source = await openBackupSource(join(folder, 'restored'))
    const ids = (await source.run('select attestation_id as id from attestation')).map(
      ({ id }) => id,
    )
    expect(before.filter((id) => !ids.includes(id))).toEqual([])
    expect(description.tables['public.attestation']?.rows).not.toBe(String(acknowledged().length))
    await source.close()
    await restored.close()
  })

  test('goes on after one that died halfway', async () => {
    const owner = await open(dataDir)
    const dead = await openBackupSource(dataDir)
    await dead.run("select pg_backup_start('dead', true)")
    await dead.close()
    expectOk(await make())
    await owner.ping()
    await owner.close()
  })
})

/** Witness: `pg_verifybackup` of PostgreSQL, which reads a manifest and looks whether all is as it says. */
describePostgres('the files of a backup', () => {
  const verify = (path: string) =>
    execFileSync(join(POSTGRES_BINARIES ?? '', 'pg_verifybackup'), ['-n', path], { stdio: 'pipe' })

  test('are what the manifest says of them', async () => {
    await makeData()
    await record(dataDir, [newDeviceId()])
    expectOk(await make())
    tar('-xzf', file, '-C', folder)
    const database = join(folder, 'database')
    expect(verify(database).toString()).toContain('backup successfully verified')
    writeFileSync(join(database, 'PG_VERSION'), '16\n')
    expect(() => verify(database)).toThrow(/PG_VERSION/)
  })
})

describeTar('what is not whole is not restored', () => {
  beforeEach(async () => {
    const kept = await makeOnceARun('backup', async (draft) => {
      await makeData()
      const made = join(draft, 'backup.tar.gz')
      expectOk(await backUp({ ...withAll, dataDir, file: made }))
      rmSync(dataDir, { recursive: true })
      mkdirSync(join(draft, 'open'))
      tar('-xzf', made, '-C', join(draft, 'open'))
    })
    copyFileSync(join(kept, 'backup.tar.gz'), file)
    execFileSync('cp', ['-a', join(kept, 'open'), folder])
  })

  /** The backup again, after a change of what it holds; the description comes last as ever. */
  function pack(...names: readonly string[]): void {
    const packed = names.length > 0 ? names : ['database', 'secret.key', 'countersign.json']
    // Forty megabytes, again and again: quickly sooner than small.
    const how = ['--format=ustar', '--use-compress-program=gzip -1', '-cf', file]
    tar(...how, '-C', join(folder, 'open'), ...packed)
  }
  const change = (name: string, alter: (text: string) => string) => {
    const path = join(folder, 'open', name)
    writeFileSync(path, alter(readFileSync(path, 'utf8')))
  }

  async function expectNotRestored(reason: BackupFailure['reason']) {
    expectRefusal(await restore(), reason)
    expect(existsSync(join(folder, 'restored', 'store', 'database'))).toBe(false)
    expect(existsSync(join(folder, 'restored', 'secret.key'))).toBe(false)
    expect(readdirSync(join(folder, 'restored', 'store'))).toEqual([])
  }

  test('a file that ends early', async () => {
    writeFileSync(file, readFileSync(file).subarray(0, -1000))
    await expectNotRestored('archive_truncated')
  })

  test('a file that is something else', async () => {
    writeFileSync(file, 'hello')
    await expectNotRestored('archive_malformed')
    writeFileSync(file, gzipSync('hello'))
    await expectNotRestored('archive_truncated')
  })

  test('an archive that is none of ours, or lacks its last file', async () => {
    pack('database', 'secret.key')
    await expectNotRestored('backup_foreign')
    copyFileSync(join(folder, 'open', 'secret.key'), join(folder, 'open', 'other'))
    pack('other')
    await expectNotRestored('backup_foreign')
  })

  test('a file of the database that was changed, has gone or was added', async () => {
    change('database/PG_VERSION', (text) => `${text}\n`)
    pack()
    expect(expectRefusal(await restore(), 'backup_damaged')).toMatchObject({ path: 'PG_VERSION' })
    rmSync(join(folder, 'open', 'database', 'PG_VERSION'))
    pack()
    await expectNotRestored('backup_damaged')
    writeFileSync(join(folder, 'open', 'database', 'backup_manifest'), '{}')
    pack()
    expect(expectRefusal(await restore(), 'backup_damaged')).toMatchObject({
      path: 'backup_manifest',
    })
  })

  test('a file that nobody listed', async () => {
    writeFileSync(join(folder, 'open', 'database', 'recovery.signal'), '')
    pack()
    await expectNotRestored('backup_damaged')
  })

  /** The manifest again, with one file more; its checksum is right. */
  function list(path: string): void {
    const manifest = join(folder, 'open', 'database', 'backup_manifest')
    const sha256 = createHash('sha256').update('').digest('hex')
    const files = readManifest(readFileSync(manifest, 'utf8')) ?? []
    const wal = { timeline: 1, start: '0/1', end: '0/2' }
    const more = { path, size: 0, modified: at(0), sha256 }
    writeFileSync(manifest, writeManifest([...files, more], wal))
  }

  test.each(['../../x', '/etc/hostname'])('a manifest that names %s', async (path) => {
    list(path)
    pack()
    expect(expectRefusal(await restore(), 'backup_damaged')).toMatchObject({
      path: 'backup_manifest',
    })
  })

  /** GNU tar itself writes the links, with the target that they have. */
  test('an archive with a link in it, of either kind', async () => {
    const database = join(folder, 'open', 'database')
    writeFileSync(join(folder, 'outside'), 'precious')
    symlinkSync(join(folder, 'outside'), join(database, 'base', '1', '9'))
    pack()
    await expectNotRestored('archive_malformed')
    rmSync(join(database, 'base', '1', '9'))
    linkSync(join(database, 'PG_VERSION'), join(database, 'base', '1', '9'))
    pack()
    await expectNotRestored('archive_malformed')
    expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('precious')
  })

  test('one whose secret is none, or is missing though it says that it has one', async () => {
    change('secret.key', () => 'hello\n')
    pack()
    expect(expectRefusal(await restore(), 'backup_damaged')).toMatchObject({ path: 'secret.key' })
    pack('database', 'countersign.json')
    await expectNotRestored('backup_damaged')
  })

  test('nothing is in its place before the last check, the secret neither', async () => {
    const store = join(folder, 'restored', 'store')
    const restored = restore()
    restored.catch(() => {})
    const isUnpacking = () =>
      existsSync(store) && readdirSync(store).some((name) => /^rest/.test(name))
    while (!isUnpacking()) await new Promise((wake) => setTimeout(wake, 1))
    // Somebody else is faster.
    mkdirSync(join(store, 'database'))
    await expect(restored).rejects.toThrow('has a database already')
    expect(readdirSync(join(folder, 'restored'))).toEqual(['store'])
    expect(readdirSync(store)).toEqual(['database'])
  })

  test('one of a newer version', async () => {
    change('countersign.json', (text) => {
      const description = JSON.parse(text)
      return JSON.stringify({ ...description, migrations: [...description.migrations, 1] })
    })
    pack()
    await expectNotRestored('backup_of_newer_version')
  })

  test('one whose tables are not what was backed up', async () => {
    change('countersign.json', (text) => text.replace(/"rows": "\d+"/, '"rows": "77"'))
    pack()
    await expectNotRestored('backup_differs')
  })

  test('nor over a database that is there, nor beside another secret', async () => {
    await makeData()
    await expect(restoreBackup({ file, dataDir })).rejects.toThrow('has a database already')
    mkdirSync(join(folder, 'restored'))
    writeFileSync(join(folder, 'restored', 'secret.key'), 'another')
    await expect(restore()).rejects.toThrow('another secret')
    expect(existsSync(join(folder, 'restored', 'store', 'database'))).toBe(false)
    const store = join(folder, 'busy', 'store')
    mkdirSync(store, { recursive: true })
    const owner = await claimFolder(store)
    await expect(restore('busy')).rejects.toMatchObject({ name: 'DataDirectoryBusyError' })
    await owner?.leave()
  })
})
