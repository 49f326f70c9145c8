import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { restoreBackup } from '../../../src/operations/backup/restore.ts'
import { placeOf } from '../../../src/store/drivers/directory-claim.ts'
import { STORE_FOLDER } from '../../../src/store/drivers/embedded.ts'
import { openStore } from '../../../src/store/drivers/open-store.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'

// Databases are made and opened here, on machines that do more besides.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let home: string
let data: string
let store: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'claims-'))
  data = join(home, 'data')
  store = join(data, STORE_FOLDER)
})
afterEach(() => rmSync(home, { recursive: true }))

const open = () => openStore({ kind: 'embedded', dataDir: data })

/** The witness is the file system: what lies outside of the directory is as it was. */
describe('a data directory that somebody else made', () => {
  test.each([
    ['up', () => '../../precious.txt'],
    ['by a whole path', () => join(home, 'precious.txt')],
    ['by a whole path with a way up', () => `${home}/countersign-abcdef/../precious.txt`],
    ['in a folder named as ours', () => join(home, 'countersign-abcdef', 'precious.txt')],
    ['by a link in the directory', () => 'linked'],
  ])('removes no file that its claim names %s', async (_, socketOf) => {
    mkdirSync(store, { recursive: true, mode: 0o700 })
    mkdirSync(join(home, 'countersign-abcdef'))
    const precious = ['precious.txt', 'countersign-abcdef/precious.txt'].map((p) => join(home, p))
    for (const path of precious) writeFileSync(path, 'precious')
    symlinkSync(join(home, 'precious.txt'), join(store, 'linked'))
    const claim = { pid: 1, startedAt: 'x', socket: socketOf(), place: await placeOf(store) }
    writeFileSync(join(store, 'owner'), JSON.stringify(claim))

    // A restore claims the directory before it looks at its file.
    await expect(restoreBackup({ file: join(home, 'none'), dataDir: data })).rejects.toThrow()
    for (const path of precious) expect(readFileSync(path, 'utf8')).toBe('precious')
    expect(existsSync(join(store, 'linked'))).toBe(true)
  })

  test('is not opened as the guest of another service that its claim names', async () => {
    const other = join(home, 'other')
    await makeDataDirectory(other)
    await makeDataDirectory(data)
    const owner = await openStore({ kind: 'embedded', dataDir: other })
    const socket = readdirSync(join(other, STORE_FOLDER)).find((name) => name.endsWith('.sock'))
    for (const named of [
      `../../other/store/${socket}`,
      join(other, STORE_FOLDER, String(socket)),
    ]) {
      const claim = { pid: 1, startedAt: 'x', socket: named, place: await placeOf(store) }
      writeFileSync(join(store, 'owner'), JSON.stringify(claim))
      const opened = await open()
      expect(opened.place).toMatchObject({ role: 'owner', path: store })
      await opened.close()
    }
    // Nor is the other's socket gone, so that others still reach it.
    const guest = await openStore({ kind: 'embedded', dataDir: other })
    expect(guest.place).toMatchObject({ role: 'guest' })
    await guest.close()
    await owner.close()
  })
})

test('what a killed restore left, a secret in it, is gone once somebody owns the directory', async () => {
  const leave = () => {
    mkdirSync(join(store, 'restoring-Ab12Cd', 'database'), { recursive: true })
    writeFileSync(join(store, 'restoring-Ab12Cd', 'secret.key'), 'secret')
  }
  leave()
  await expect(restoreBackup({ file: join(home, 'none'), dataDir: data })).rejects.toThrow()
  expect(readdirSync(store)).toEqual([])

  await makeDataDirectory(data)
  leave()
  const opened = await open()
  expect(readdirSync(store).filter((name) => name.startsWith('restoring'))).toEqual([])
  await opened.close()
})
