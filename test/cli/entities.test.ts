import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command as authzen } from '../../src/cli/authzen/authzen.ts'
import { command as decide } from '../../src/cli/decide/decide.ts'
import { command } from '../../src/cli/entities/entities.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { attestationOf, newDeviceId } from '../store/fixtures.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-entities-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
  const { code } = await fixture()
  expect(code).toBe(0)
}, 120_000)
afterAll(async () => {
  await store?.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const entities = (...args: readonly string[]) => callCommand(command, [...args, '--data', data()])
const fixture = (...args: readonly string[]) =>
  callCommand(authzen, ['fixture', ...args, '--data', data()])

function fileOf(...lines: readonly string[]): string {
  const path = join(folder, 'lines.jsonl')
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

describe('the fixture of the certification', () => {
  test('is in force, and decides without a device by what was imported', async () => {
    const ask = (user: string, record: string) =>
      callCommand(decide, [
        ...['--no-device', '--subject', `user:${user}`, '--action', 'write'],
        ...['--resource', `record:${record}`, '--json', '--data', data()],
      ])
    const decisions = []
    for (const [user, record] of [
      ['alice', 'record-1'],
      ['bob', 'record-1'],
      ['alice', 'record-2'],
      ['bob', 'record-2'],
    ] as const) {
      decisions.push(JSON.parse((await ask(user, record)).stdout).decision)
    }
    expect(decisions).toEqual([true, false, false, true])
  })

  test('loaded again changes nothing', async () => {
    const loaded = JSON.parse((await fixture('--json')).stdout)
    expect(loaded).toMatchObject({ outcome: 'unchanged', entities: { unchanged: 7, added: 0 } })
  })

  test('is written as files that the other commands load', async () => {
    await fixture('--dir', join(folder, 'fixture'))
    const path = join(folder, 'fixture', 'entities.jsonl')
    const told = JSON.parse((await entities('import', path, '--json')).stdout)
    // Whoever imports it says another source.
    expect(told).toMatchObject({ added: 0, changed: 7, unchanged: 0 })
    const policy = JSON.parse(readFileSync(join(folder, 'fixture', 'policy.json'), 'utf8'))
    expect((await store.activeDocument('policy'))?.body).toEqual(policy)
  })

  test('is refused where there are devices', async () => {
    await store.recordAttestation(attestationOf({ deviceId: newDeviceId() }))
    const { code, stdout } = await fixture()
    expect(code).toBe(3)
    expect(stdout).toContain('Nothing was loaded: there is 1 device on record')
  })
})

describe('entities', () => {
  test('that are exported are imported again as they are', async () => {
    const { stdout } = await entities('export')
    expect(stdout.trim().split('\n')).toHaveLength(7)
    const told = await entities('import', fileOf(...stdout.trim().split('\n')), '--json')
    expect(JSON.parse(told.stdout)).toMatchObject({ unchanged: 7, added: 0, changed: 0 })
  })

  test('are imported with their source, listed and removed by it', async () => {
    const line = '{"kind":"subject","type":"user","id":"eve\\u202e","properties":{"a":1}}'
    await entities('import', fileOf(line), '--source', 'hr')
    const listed = await entities('list', '--source', 'hr')
    // What would turn the line round is shown as it is written.
    expect(listed.stdout).toContain('eve\\u202e')
    const { stdout } = await entities('remove', '--source', 'hr', '--yes', '--json')
    expect(JSON.parse(stdout)).toEqual({ removed: 1 })
    expect((await entities('list', '--source', 'hr')).stdout).toMatch(/^There are no such entities/)
  })

  test('one is removed by its name, and no other', async () => {
    const lines = ['a', 'b'].map((name) => `{"kind":"action","name":"${name}","properties":{}}`)
    await entities('import', fileOf(...lines), '--source', 'own')
    await entities('remove', '--kind', 'action', '--id', 'a', '--yes')
    const { stdout } = await entities('list', '--source', 'own', '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ kind: 'action', name: 'b' }])
  })

  test('of a file with mistakes are not written, and the lines are told', async () => {
    const good = '{"kind":"action","name":"never","properties":{}}'
    const imported = entities('import', fileOf(good, '{"kind":"action"}', 'x'))
    await expect(imported).rejects.toThrow(/line 2: name: is missing\n {2}line 3: is not JSON/)
    expect((await entities('list')).stdout).not.toContain('never')
  })

  test('of a file that is no text end the command', async () => {
    const path = join(folder, 'bytes')
    writeFileSync(path, Buffer.from([0xff, 0xfe, 0x0a]))
    await expect(entities('import', path)).rejects.toThrow('is not UTF-8')
    await expect(entities('import', join(folder, 'gone'))).rejects.toThrow('ENOENT')
  })

  test.each([
    [['list', '--type', 'user']],
    [['remove', '--yes']],
    [['remove', '--id', 'a', '--kind', 'subject', '--yes']],
    [['remove', '--kind', 'action', '--json']],
    [['list', '--kind', 'device']],
    [['import']],
    [['list', '--source', 'x'.repeat(65)]],
  ])('%j is wrong usage', async (args) => {
    await expect(entities(...args)).rejects.toThrow(UsageError)
  })
})
