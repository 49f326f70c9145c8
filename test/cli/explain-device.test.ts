import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { command } from '../../src/cli/devices/devices.ts'
import { EXIT } from '../../src/cli/framework/command.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Json } from '../../src/store/json.ts'
import type { Store } from '../../src/store/store.ts'
import { bodyOf, policyWith } from '../operations/release/documents.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { putInForce } from '../support/put-in-force.ts'
import { FLEET_VALUES, recordFleet } from '../support/recorded-fleet.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-explain-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
  const strict = policyWith('attestation.enclaveSvn >= 9 && attestation.bitlockerEnabled')
  for (const { body, ...document } of [bodyOf('reference-values', FLEET_VALUES), strict]) {
    const names = { author: 'test', reason: 'test', now: new Date() }
    await putInForce(store, { ...document, body: body as Json, ...names })
  }
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const explain = (...args: readonly string[]) =>
  callCommand(command, ['explain', ...args, '--data', data()])

test('why a device is denied: each clause, what it read, when that was measured, and the repair', async () => {
  const [id = ''] = await recordFleet(store, { devices: 1, now: new Date() })
  const { code, stdout } = await explain(id)
  expect(code).toBe(EXIT.refused)
  expect(stdout).toMatch(/^decision +denied$/m)
  expect(stdout).toMatch(/^ {2}added: Title\n {4}Repair\.$/m)
  expect(stdout).toMatch(/^ {2}added: FAILS$/m)
  expect(stdout).toMatch(/^ {6}attestation\.enclaveSvn = 7 \(when it attested\)$/m)
  expect(stdout).toMatch(/^ {2}secure_boot_on: holds$/m)
  expect(stdout).toMatch(
    /^ {6}attestation\.secureBootEnabled = true \(at boot: restart to see a change\)$/m,
  )
  const shown = JSON.parse((await explain(id, '--json')).stdout)
  expect(shown).toMatchObject({ decision: false, context: { verdict: 'untrusted' } })
})

test('a device that there is not', async () => {
  const none = `dev_${'a'.repeat(52)}`
  await expect(explain(none)).rejects.toThrow(`there is no device ${none}`)
})
