import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLAIM_NAMES, CLAIMS } from '../../../src/appraisal/claims.ts'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import { command } from '../../../src/cli/policy/policy.ts'
import { openEmbeddedStore } from '../../../src/store/drivers/embedded.ts'
import type { Store } from '../../../src/store/store.ts'
import { AUTHOR, agent, documentOf } from '../../policy/healthy-device.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import type { Json } from '../../support/json.ts'
import { enforceFleetDocuments } from '../../support/recorded-fleet.ts'
import { type Called, callCommand } from '../call-command.ts'

let folder: string
let store: Store
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-tests-'))
  await makeDataDirectory(join(folder, 'data'))
  store = await openEmbeddedStore(join(folder, 'data'))
  await enforceFleetDocuments(store, new Date())
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const policy = (...args: readonly string[]): Promise<Called> => callCommand(command, args)
let folders = 0
/** A folder with these files; its path. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  const made = mkdtempSync(join(folder, `rules-${++folders}-`))
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(made, name), JSON.stringify(content))
  }
  return made
}
const POLICY = { ...documentOf('attestation.enclave.svn_current'), description: 'tested' }
const CLAIMED = { vbsReportPresent: true, enclaveAuthorId: AUTHOR, enclaveSvn: 5 }
const tests = (decision: boolean) => ({
  claims: CLAIMED,
  cases: [{ name: 'svn 5 on a laptop', decision }],
})

describe('policy test', () => {
  test('runs what stands beside the policy, beside the reference values that stand there', async () => {
    const values = { enclaves: [agent()] }
    const made = folderOf({
      'policy.json': POLICY,
      'policy.test.json': tests(true),
      'reference-values.json': values,
    })
    const { code, stdout } = await policy('test', join(made, 'policy.json'))
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${join(made, 'policy.test.json')}: 1 case, all as expected\n`,
    })
  })

  test('says what is otherwise, and what the clauses read', async () => {
    const made = folderOf({
      'policy.json': POLICY,
      'other.json': tests(true),
      'reference-values.json': { enclaves: [agent({ minimum_svn: 6 })] },
    })
    const files = [join(made, 'policy.json'), '--fixtures', join(made, 'other.json')]
    const { code, stdout } = await policy('test', ...files)
    expect(code).toBe(3)
    expect(stdout).toBe(
      [
        '  ✗ svn 5 on a laptop',
        '    decision: expected granted, and it is denied',
        '    clause_0: fail, as attestation.enclave.svn_current = false',
        `${join(made, 'other.json')}: 1 of 1 case is not as expected`,
        '',
      ].join('\n'),
    )
    const shown: Json = JSON.parse((await policy('test', ...files, '--json')).stdout)
    expect(shown).toMatchObject({
      ok: false,
      cases: [{ name: 'svn 5 on a laptop', ok: false, clauses: [{ clause: 'clause_0' }] }],
    })
  })

  test('says where tests belong, and what is wrong with some', async () => {
    const made = folderOf({ 'policy.json': POLICY, 'wrong.json': { cases: [{}] } })
    const file = join(made, 'policy.json')
    await expect(policy('test', file)).rejects.toThrow(UsageError)
    await expect(policy('test', file)).rejects.toThrow('policy.test.json: write it')
    const { code, stdout } = await policy('test', file, '--fixtures', join(made, 'wrong.json'))
    expect(code).toBe(3)
    expect(stdout).toContain('cases.0.name: is missing\n')
  })
})

describe('plan and apply', () => {
  const data = () => ['--data', join(folder, 'data')]

  test('run the tests beside a policy, and nothing comes into force where one fails', async () => {
    const made = folderOf({ 'policy.json': POLICY, 'policy.test.json': tests(true) })
    const before = (await store.activeDocument('policy'))?.hash
    for (const called of [
      await policy('plan', '--dir', made, ...data()),
      await policy('apply', '--dir', made, '--yes', '--at-once', ...data()),
      await policy('apply', join(made, 'policy.json'), '--yes', '--at-once', ...data()),
    ]) {
      expect(called.code).toBe(3)
      expect(called.stdout).toContain('1 of 1 case is not as expected')
    }
    expect((await store.activeDocument('policy'))?.hash).toBe(before)
    const planned: Json = JSON.parse(
      (await policy('plan', '--dir', made, '--json', ...data())).stdout,
    )
    expect(planned.documents[0]).toMatchObject({
      state: 'refused',
      tests: { cases: [{ ok: false }] },
    })
  })

  test('go on where they are as expected', async () => {
    const made = folderOf({ 'policy.json': POLICY, 'policy.test.json': tests(false) })
    const planned = await policy('plan', '--dir', made, ...data())
    expect(planned.code).toBe(4)
    expect(planned.stdout).toContain('1 case, all as expected')
    expect((await policy('apply', '--dir', made, '--yes', '--at-once', ...data())).code).toBe(0)
  })
})

test('policy schema prints a schema of what people write, which Ajv takes', async () => {
  for (const kind of ['policy', 'reference-values', 'test']) {
    const { stdout } = await policy('schema', kind)
    const schema = JSON.parse(stdout)
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(new Ajv2020({ strict: false }).validateSchema(schema)).toBe(true)
  }
  expect((await policy('schema')).stdout).toBe((await policy('schema', 'policy')).stdout)
})

test('policy claims lists each claim with its type, when it is measured, evidence and example', async () => {
  const rows = (await policy('claims')).stdout.split('\n')
  for (const name of CLAIM_NAMES) {
    const row = rows.find((line) => line.startsWith(`${name} `)) ?? ''
    expect(row).toContain(CLAIMS[name].meaning)
    expect(row).toContain(CLAIMS[name].measuredAt === 'boot' ? 'at boot' : 'now')
  }
  const shown: Json = JSON.parse((await policy('claims', '--json')).stdout)
  expect(shown.map((one: Json) => one.claim)).toEqual(CLAIM_NAMES)
  expect(shown.find((one: Json) => one.claim === 'bitlockerEnabled')).toEqual({
    claim: 'bitlockerEnabled',
    type: 'bool',
    measured_at: 'boot',
    evidence: 'boot_log',
    example: true,
    meaning: 'The system drive was unlocked by BitLocker.',
    aliases: [],
  })
})
