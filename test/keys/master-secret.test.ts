import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toBase64 } from '../../src/base/encoding.ts'
import { parseMasterSecret } from '../../src/keys/master-secret.ts'
import { loadOrCreateSecretFile } from '../../src/keys/secret-file.ts'

const text = toBase64(new Uint8Array(32).fill(7))

test('a master secret is 32 bytes in base64', () => {
  expect(parseMasterSecret(text)).toEqual(Buffer.alloc(32, 7))
  expect(parseMasterSecret(`${text}\n`)).toEqual(Buffer.alloc(32, 7))
  const wrong = ['', 'password', toBase64(new Uint8Array(31)), toBase64(new Uint8Array(33))]
  for (const value of [...wrong, text.slice(0, -1), `${text}=`, text.replaceAll('B', '*')]) {
    expect(parseMasterSecret(value), value).toBeUndefined()
  }
})

describe('the secret file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-secret-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('is made once, for this user alone, and read from then on', async () => {
    const path = join(folder, 'new', 'secret')
    const secret = await loadOrCreateSecretFile(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700)
    expect(parseMasterSecret(readFileSync(path, 'utf8'))).toEqual(secret)
    expect(await loadOrCreateSecretFile(path)).toEqual(secret)
  })

  test('is the same for all that start at once', async () => {
    const path = join(folder, 'secret')
    const secrets = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateSecretFile(path)))
    expect(new Set(secrets.map(toBase64)).size).toBe(1)
    expect(readdirSync(folder)).toEqual(['secret'])
  })

  test('is never replaced when it holds something else', async () => {
    const path = join(folder, 'secret')
    writeFileSync(path, 'half a sec')
    await expect(loadOrCreateSecretFile(path)).rejects.toThrow(/does not hold a master secret/)
    expect(readFileSync(path, 'utf8')).toBe('half a sec')
  })
})
