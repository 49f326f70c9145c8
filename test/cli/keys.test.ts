import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/framework/command.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { openKeyMaking } from '../../src/cli/keys/key-making.ts'
import { command } from '../../src/cli/keys/keys.ts'
import { parseConfig } from '../../src/config/config.ts'
import { loadOrCreateSecretFile, SECRET_FILE } from '../../src/keys/secret-file.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { expectOk } from '../support/refusal.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')
const keys = (...args: readonly string[]) => callCommand(command, [...args, '--data', data()])
const listed = async () => JSON.parse((await keys('list', '--json')).stdout)
const keyOf = async (purpose: string, state: string) =>
  (await listed()).find((key: Record<string, unknown>) => {
    return key.purpose === purpose && key.state === state
  })?.kid

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  store = await openEmbeddedStore(data())
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

test('without the secret of the service nothing is made', async () => {
  expect((await keys('list')).stdout).toMatch(/^There are no keys yet/)
  await expect(keys('rotate')).rejects.toThrow(/SECRET_KEY, or .*secret\.key/)
  expect(await store.listSigningKeys()).toEqual([])
})

test('shows the keys, rotates one, and says when it cannot', async () => {
  await loadOrCreateSecretFile(join(data(), SECRET_FILE))
  await openKeyMaking(store, expectOk(parseConfig({ DATA_DIR: data() })))
  const before = await keyOf('receipt', 'signing')
  expect((await keys('list')).stdout).toMatch(new RegExp(`^receipt +${before} +signing +20`, 'm'))

  const rotated = await keys('rotate', 'receipt', '--json')
  expect(rotated.code).toBe(EXIT.done)
  const { receipt } = JSON.parse(rotated.stdout)
  expect(receipt).toMatchObject({ previous_kid: before })
  expect(await keyOf('receipt', 'published')).toBe(receipt.kid)

  const again = await keys('rotate')
  expect(again.code).toBe(EXIT.refused)
  expect(again.stdout).toMatch(/^receipt: not now: .* is published already and signs from 20/m)
  expect(again.stdout).toMatch(/^device-token: .* is published and signs from 20/m)
})

test('retires a key, and says what follows', async () => {
  const signing = await keyOf('device-token', 'signing')
  const next = await keyOf('device-token', 'published')
  const { stdout, code } = await keys('retire', signing, '--reason', 'it leaked', '--yes')
  expect(code).toBe(EXIT.done)
  expect(stdout).toContain('devices attest again')
  expect(stdout).toContain(`${signing} has ended. ${next} signs from now on.`)
  expect(await keyOf('device-token', 'ended')).toBe(signing)
  const again = await keys('retire', signing, '--reason', 'it leaked', '--yes', '--json')
  expect(JSON.parse(again.stdout)).toEqual({ kid: signing, changed: false })
  await expect(keys('retire', 'nobody', '--reason', 'x', '--yes')).rejects.toThrow('keys list')
})

test('exports what receipts are verified with, as jose reads it, and no key that was retired', async () => {
  const { stdout } = await keys('export')
  const set = JSON.parse(stdout)
  expect(() => createLocalJWKSet(set)).not.toThrow()
  const kids = set.keys.map(({ kid }: { kid: string }) => kid)
  expect(kids).toContain(await keyOf('receipt', 'signing'))
  expect(kids).not.toContain(await keyOf('device-token', 'ended'))
  expect(kids).not.toContain(await keyOf('attestation', 'signing'))
  expect(stdout).not.toMatch(/"d":/)
})

test('with another secret nothing is made or retired', async () => {
  const before = await store.listSigningKeys()
  process.env.SECRET_KEY = Buffer.alloc(32, 9).toString('base64')
  try {
    await expect(keys('rotate', 'receipt')).rejects.toThrow(/another master secret/)
    const kid = before[0]?.kid ?? ''
    const retiring = keys('retire', kid, '--reason', 'x', '--yes')
    await expect(retiring).rejects.toThrow(/another master secret/)
  } finally {
    delete process.env.SECRET_KEY
  }
  expect(await store.listSigningKeys()).toEqual(before)
})

test.each([
  [['show']],
  [['list', 'x']],
  [['rotate', 'break-glass']],
  [['retire', '--reason', 'x']],
  [['retire', 'kid', '--yes']],
  [['retire', 'kid', '--reason', 'x', '--json']],
  [['export', '--json']],
])('%j is wrong usage', async (args) => {
  await expect(callCommand(command, args)).rejects.toThrow(UsageError)
})
