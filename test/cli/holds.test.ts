import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { command } from '../../src/cli/holds/holds.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-holds-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const holds = (...args: readonly string[]) => callCommand(command, [...args, '--data', data()])

test('shows what is held and ends it', async () => {
  expect((await holds('list')).stdout).toBe('No cause was ever held.\n')
  const now = new Date()
  await store.beginHold({
    holdId: 'hld_a',
    cause: { kind: 'clause', clause: 'secure_boot_on' },
    covers: now,
    until: new Date(now.getTime() + 3_600_000),
    evidence: { devices: 12 },
    lengthen: false,
    most: 3,
    restMs: 0,
    now,
  })
  const { stdout } = await holds('list')
  expect(stdout).toMatch(/^\* +hld_a +clause secure_boot_on +12 +20/m)
  expect(stdout).toContain(`${COMMAND} holds end HOLD_ID`)
  const [shown] = JSON.parse((await holds('list', '--json')).stdout)
  expect(shown).toMatchObject({ hold_id: 'hld_a', ended_at: null })
  expect((await holds('end', 'hld_a', '--reason', 'it is real')).stdout).toBe('hld_a has ended.\n')
  const again = await holds('end', 'hld_a', '--reason', 'it is real', '--json')
  expect(JSON.parse(again.stdout)).toEqual({ hold_id: 'hld_a', changed: false })
  expect((await holds('list')).stdout).toMatch(/^ +hld_a /m)
  await expect(holds('end', 'hld_b', '--reason', 'x')).rejects.toThrow(`${COMMAND} holds list`)
})

test.each([
  [['show']],
  [['list', 'hld_a']],
  [['list', '--reason', 'x']],
  [['list', '--limit', '0']],
  [['end', '--reason', 'x']],
  [['end', 'hld_a']],
  [['end', 'hld_a', '--reason', 'x', '--limit', '3']],
])('%j is wrong usage', async (args) => {
  await expect(callCommand(command, args)).rejects.toThrow(UsageError)
})
