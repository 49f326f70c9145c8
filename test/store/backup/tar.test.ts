import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  readTar,
  TAR_END,
  type TarHeader,
  type TarSink,
  tarHeader,
  tarPadding,
} from '../../../src/store/backup/tar.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeTar, tar } from '../../support/tar.ts'

/** Witness: GNU tar, which reads what we write and writes what we read. */

const folder = mkdtempSync(join(tmpdir(), 'countersign-tar-'))
afterAll(() => rmSync(folder, { recursive: true }))

const MODIFIED = new Date('2026-03-02T08:00:00Z')
const file = (name: string, size: number): TarHeader => {
  return { kind: 'file', name, size, mode: 0o600, modified: MODIFIED }
}

function archiveOf(files: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(files).flatMap(([name, text]) => {
    const bytes = Buffer.from(text)
    return [tarHeader(file(name, bytes.length)), bytes, tarPadding(bytes.length)]
  })
  return Buffer.concat([...parts, TAR_END])
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

/** What an archive holds, in pieces of an odd length. */
async function read(bytes: Uint8Array, length = 777) {
  const files: Record<string, string> = {}
  let name = ''
  const sink: TarSink = {
    begin: async (header) => {
      name = header.kind === 'directory' ? `${header.name}/` : header.name
      files[name] = ''
    },
    write: async (part) => {
      files[name] += Buffer.from(part).toString()
    },
    end: async () => {},
  }
  return { result: await readTar(inPieces(bytes, length), sink), files }
}

const FILES = { 'a.txt': 'hello', 'b/c.bin': 'x'.repeat(1024), 'b/empty': '' }

describeTar('beside GNU tar', () => {
  test('what is written tar lists and unpacks', () => {
    const path = join(folder, 'ours.tar')
    writeFileSync(path, archiveOf(FILES))
    expect(tar('-tvf', path, '--utc', '--numeric-owner')).toBe(
      ['5 2026-03-02 08:00 a.txt', '1024 2026-03-02 08:00 b/c.bin', '0 2026-03-02 08:00 b/empty']
        .map((line) => {
          const [size = '', ...rest] = line.split(' ')
          return `-rw------- 0/0 ${size.padStart(15)} ${rest.join(' ')}\n`
        })
        .join(''),
    )
    tar('-xf', path, '-C', folder)
    for (const [name, text] of Object.entries(FILES)) {
      expect(readFileSync(join(folder, name), 'utf8')).toBe(text)
    }
  })

  test('what tar writes is read', async () => {
    const source = join(folder, 'source')
    mkdirSync(join(source, 'b'), { recursive: true })
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(source, name), text)
    const path = join(folder, 'theirs.tar')
    tar('--format=ustar', '-cf', path, '-C', source, 'a.txt', 'b')
    const { result, files } = await read(readFileSync(path))
    expectOk(result)
    expect(files).toEqual({ ...FILES, 'b/': '' })
  })

  test('an archive with a symbolic or hard link, as tar makes it, is refused', async () => {
    const source = join(folder, 'links')
    mkdirSync(source)
    symlinkSync('/etc/passwd', join(source, 'link'))
    const path = join(folder, 'links.tar')
    tar('--format=ustar', '-cf', path, '-C', source, 'link')
    expectRefusal((await read(readFileSync(path))).result, 'archive_malformed')
    expectRefusal((await read(Buffer.alloc(2048, 'not an archive'))).result, 'archive_malformed')
  })
})

describe('what is no archive of plain files is refused', () => {
  const whole = archiveOf(FILES)

  test.each([0, 100, 511, 512, 520, 1024, 1100, whole.length - 1024])(
    'one that ends after %i bytes',
    async (length) => {
      expectRefusal((await read(whole.subarray(0, length))).result, 'archive_truncated')
    },
  )

  test('one with a byte of a header changed, wherever', async () => {
    for (let at = 0; at < 512; at++) {
      const damaged = Buffer.from(whole)
      damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at)
      expectRefusal((await read(damaged)).result, 'archive_malformed')
    }
  })

  test.each(['../up', '/etc/passwd', 'a/../../b', 'a/./b', 'a//b', 'with space', 'b\\c', '..'])(
    'one with the name %s',
    async (name) => {
      expectRefusal((await read(archiveOf({ [name]: 'x' }))).result, 'archive_malformed')
    },
  )
})

test('what the form has no place for is misuse', () => {
  expect(() => tarHeader(file('x'.repeat(101), 0))).toThrow(TypeError)
  expect(() => tarHeader(file('x', 2 ** 33))).toThrow(TypeError)
})
