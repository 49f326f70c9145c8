import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command } from '../../../src/cli/decide/decide.ts'
import { openEmbeddedStore } from '../../../src/store/drivers/embedded.ts'
import type { Store } from '../../../src/store/store.ts'
import { documentOf, HEALTHY } from '../../policy/healthy-device.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import type { Json } from '../../support/json.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { type Called, callCommand } from '../call-command.ts'

let folder: string
let store: Store
let id: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-decide-'))
  await makeDataDirectory(join(folder, 'data'))
  store = await openEmbeddedStore(join(folder, 'data'))
  await enforceFleetDocuments(store, new Date())
  const [first = ''] = await recordFleet(store, { devices: 1, now: new Date() })
  id = first
}, 120_000)
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const decide = (...args: readonly string[]): Promise<Called> =>
  callCommand(command, [...args, '--data', join(folder, 'data')])
function save(name: string, content: unknown): string {
  writeFileSync(join(folder, name), JSON.stringify(content))
  return join(folder, name)
}

describe('decide', () => {
  test('says of a device on record what is decided', async () => {
    const { code, stdout } = await decide(id)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^decision +granted\nverdict +trusted\n/)
    expect(stdout).toContain('What each clause said: --explain\n')
    await expect(decide('dev_nobody')).rejects.toThrow('there is no device dev_nobody')
  })

  test('says of claims what would be, with each clause and what it read', async () => {
    const claims = save('claims.json', { ...HEALTHY, secureBootEnabled: false, vbsEnabled: null })
    const { code, stdout } = await decide('--claims', claims, '--explain')
    expect(code).toBe(3)
    expect(stdout).toMatch(/^decision +denied$/m)
    expect(stdout).toContain('\nWhy\n  secure_boot_on: Secure Boot is off\n')
    expect(stdout).toContain(
      '  secure_boot_on: FAILS\n    require  attestation.secureBootEnabled\n      attestation.secureBootEnabled = false\n',
    )
    expect(stdout).toContain(
      '      attestation.vbsEnabled = nothing\n      No such key: vbsEnabled\n',
    )
    expect(stdout).toContain('  code_integrity_on: holds\n')
  })

  test('asks for anything, at any time, by any document', async () => {
    const file = save(
      'policy.json',
      documentOf(
        'resource.type == "application" && resource.id == "payroll:eu" && context.level == 3.0',
        'action.name == "pay" && subject.id == "alice" && "lab" in device.labels',
        'now == timestamp("2026-12-24T12:00:00Z")',
      ),
    )
    const args = [
      ...['--claims', save('none.json', {}), '--label', 'lab', '--policy', file],
      ...['--resource', 'application:payroll:eu', '--action', 'pay', '--subject', 'user:alice'],
      ...['--context', '{"level":3}', '--at', '2026-12-24T12:00:00Z'],
    ]
    const { code, stdout } = await decide(...args, '--json')
    const explained: Json = JSON.parse(stdout)
    expect(explained).toMatchObject({ decision: true, at: '2026-12-24T12:00:00.000Z' })
    expect(explained.clauses.map((one: Json) => one.status)).toEqual(['pass', 'pass', 'pass'])
    expect(code).toBe(0)
    const [version = ''] = (await store.listDocuments('policy', 1)).map(({ hash }) => hash)
    const kept: Json = JSON.parse(
      (await decide(id, '--policy', version.slice(0, 8), '--json')).stdout,
    )
    expect(kept.context.policy).toBe(version)
  })

  test.each([
    [[], 'say one of DEVICE_ID, --claims and --'],
    [['--resource', 'payroll'], '--resource must be like application:payroll'],
    [['--context', '[]'], '--context must be a JSON object'],
    [['--at', 'tomorrow'], '--at must be a time in UTC'],
    [['--claims', 'nowhere.json'], 'cannot read nowhere.json'],
  ])('%j is wrong usage', async (args, message) => {
    await expect(decide(...args)).rejects.toThrow(message)
  })

  test('claims that there are not are wrong usage too', async () => {
    const claims = save('wrong.json', { secureBootEnable: true })
    await expect(decide('--claims', claims)).rejects.toThrow(
      '--claims: there is no claim secureBootEnable: did you mean secureBootEnabled?',
    )
    await expect(decide('--claims', save('list.json', []))).rejects.toThrow('one JSON object')
  })
})
