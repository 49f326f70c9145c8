import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { COMMAND } from '../../src/base/command.ts'
import type { DocumentHash } from '../../src/base/document-hash.ts'
import { COMMAND_LINE } from '../../src/cli/framework/open-database.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { command } from '../../src/cli/policy/policy.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import type { DocumentKind } from '../../src/rollout/in-force.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { agent, documentOf } from '../policy/healthy-device.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { namedHash } from '../support/document-hash.ts'
import type { Json } from '../support/json.ts'
import { programPath } from '../support/programs.ts'
import { putInForce } from '../support/put-in-force.ts'
import { expectOk } from '../support/refusal.ts'
import { createTestService, startDevice, testClock } from '../support/service.ts'
import { type Called, callCommand } from './call-command.ts'
import { collect } from './cli-process.ts'

/** An administrator with a folder of documents, beside a service that runs on the data directory. */
let folder: string
let data: string
let store: Store

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-policy-'))
  data = join(folder, 'data')
  await makeDataDirectory(data)
  store = await openEmbeddedStore(data)
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
beforeEach(async () => {
  await bringIntoForce('policy', BASELINE_POLICY)
  await bringIntoForce('reference-values', VALUES)
})

const VALUES = { name: 'agents', enclaves: [agent()] }
const BASELINE_HASH = hashOf('policy', BASELINE_POLICY)
const VALUES_HASH = hashOf('reference-values', VALUES)

function hashOf(kind: DocumentKind, body: Json): DocumentHash {
  return kind === 'policy'
    ? expectOk(compilePolicy(body)).hash
    : expectOk(parseReferenceValues(body)).hash
}

async function bringIntoForce(kind: DocumentKind, body: Json): Promise<void> {
  const by = { author: 'test', reason: 'test', now: new Date() }
  await putInForce(store, { kind, hash: hashOf(kind, body), body, ...by })
}

const inForce = async (kind: DocumentKind): Promise<string | undefined> =>
  (await store.activeDocument(kind))?.hash

/** What a preview leaves behind that somebody made some time ago. */
async function recordPreview(
  kind: DocumentKind,
  body: Json,
  { newlyDenied = 0, newlyRefused = 0, ageMs = 0, policyHash = BASELINE_HASH } = {},
): Promise<void> {
  await store.recordPreview({
    kind,
    hash: hashOf(kind, body),
    policyHash,
    referenceValuesHash: VALUES_HASH,
    at: new Date(Date.now() - ageMs),
    by: 'test',
    summary: {
      version: 2,
      moments: { left_out_of_candidate: 0, devices_cut: 0 },
      newly_denied: { devices: newlyDenied },
      newly_refused: { devices: newlyRefused },
      questions: { newly_denied: { devices: 0 }, denied_later: { devices: 0 } },
      denied_later: { devices: 0 },
    },
  })
}

let policies = 0
/** A policy that nobody has seen before. */
const newPolicy = (...expressions: readonly string[]): Json => ({
  ...documentOf(...(expressions.length > 0 ? expressions : ['attestation.vbsEnabled'])),
  description: `number ${++policies}`,
})

function save(name: string, document: unknown): string {
  const path = join(folder, name)
  mkdirSync(resolve(path, '..'), { recursive: true })
  writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document))
  return path
}

const policy = (...args: readonly string[]): Promise<Called> =>
  callCommand(command, [...args, ...(args[0] === 'lint' ? [] : ['--data', data])])

async function policyJson(...args: readonly string[]): Promise<Json> {
  const { stdout } = await policy(...args, '--json')
  return JSON.parse(stdout)
}

describe('policy lint', () => {
  test('needs no database and says what is wrong as compilers do', async () => {
    const file = save('wrong.json', newPolicy('attestation.vbsEnable', 'true'))
    const { code, stdout } = await policy('lint', file)
    expect(code).toBe(3)
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(
      /wrong\.json:1:\d+: error policy_name_unknown clause_0: Attestation has no member vbsEnable; did you mean vbsEnabled\?$/,
    )
    expect(lines[1]).toMatch(/: warning policy_clause_constant clause_1: is never false: /)
    expect(lines[2]).toBe('1 error, 1 warning')
  })

  test('what is in order is told with its hash, warnings do not fail', async () => {
    const { code, stdout } = await policy('lint', save('right.json', BASELINE_POLICY))
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`right.json is in order: ${BASELINE_HASH}\n$`)),
    })
    expect((await policy('lint', save('warns.json', newPolicy('true')))).code).toBe(0)
  })

  test('as JSON, and for reference values', async () => {
    const file = save('values.json', { enclaves: [] })
    const found = await policyJson('lint', file, '--kind', 'reference-values')
    expect(found).toMatchObject({ file, kind: 'reference-values', ok: true })
    expect(found.findings).toMatchObject([{ code: 'reference_values_empty', severity: 'warning' }])
    expect((await policy('lint', file)).stdout).toContain('--kind reference-values')
  })

  test('reads standard input, and refuses what is no text', async () => {
    const child = spawn(process.execPath, [programPath('src/cli.ts'), 'policy', 'lint', '-'])
    const ended = collect(child)
    child.stdin.end('{"name": 1}')
    const { code, stdout } = await ended
    expect(code).toBe(3)
    expect(stdout).toMatch(/^standard input:1:1: error document_member_missing /)
    const bytes = join(folder, 'bytes.json')
    writeFileSync(bytes, Uint8Array.of(0x22, 0xff, 0x22))
    await expect(policy('lint', bytes)).rejects.toThrow('is not UTF-8')
    await expect(policy('lint', join(folder, 'none.json'))).rejects.toThrow('(ENOENT)')
  })

  test('what a document holds cannot take over the terminal', async () => {
    const file = save('terminal.json', '{"\\u001b[2J": 1, "name": "x"}')
    expect((await policy('lint', file)).stdout).toContain('\\u001b[2J')
  })
})

describe('policy list, show and diff', () => {
  test('lists versions with the one in force, and shows one by the beginning of its hash', async () => {
    const listed: Json[] = await policyJson('list')
    expect(listed.find(({ active }) => active)).toMatchObject({
      kind: 'policy',
      hash: BASELINE_HASH,
      author: 'test',
      reason: 'test',
    })
    const { stdout } = await policy('list')
    expect(stdout).toMatch(new RegExp(`^\\* +${BASELINE_HASH.slice(0, 12)} +20\\S+Z +test`, 'm'))
    const shown = await policy('show', BASELINE_HASH.slice(0, 12))
    expect(shown.stdout).toMatch(new RegExp(`^version +${BASELINE_HASH}\n`))
    expect(shown.stdout).toContain('"id": "secure_boot_on",\n      "require"')
    const active = await policyJson('show', '--kind', 'reference-values')
    expect(active).toMatchObject({ hash: VALUES_HASH, active: true, document: VALUES })
  })

  test('a list that was cut says so, and a version that is not there says where to look', async () => {
    const other = newPolicy()
    await bringIntoForce('policy', other)
    expect((await policy('list', '--limit', '1')).stdout).toContain('more than 1: raise --limit')
    await expect(policy('show', 'abcdef012345')).rejects.toThrow(`${COMMAND} policy list`)
    await expect(policy('show', 'nothing')).rejects.toThrow(UsageError)
  })

  test('a difference is told by clause, then by line, and how a file is written is none', async () => {
    const [first, second, ...others] = BASELINE_POLICY.clauses
    const changed = {
      ...BASELINE_POLICY,
      name: 'Mine',
      clauses: [
        { ...first, severity: 'report' },
        ...others,
        { ...documentOf('attestation.vbsEnabled && device.ring < 5').clauses[0] },
      ],
    }
    const { code, stdout } = await policy('diff', save('changed.json', changed))
    expect(code).toBe(4)
    expect(stdout).toMatch(/^--- in force [0-9a-f]{12}\n\+\+\+ \S+changed\.json [0-9a-f]{12}\n/)
    expect(stdout).toContain('~ member name\n')
    expect(stdout).toContain(`- clause ${second?.id}\n`)
    expect(stdout).toContain('~ clause secure_boot_on: severity\n')
    expect(stdout).toContain('+ clause clause_0\n')
    expect(stdout).toContain('-       "severity": "enforce",\n+       "severity": "report",')

    const same = save('same.json', JSON.stringify(BASELINE_POLICY, null, 7))
    expect(await policy('diff', same)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('are the same'),
    })
    const moved = { ...BASELINE_POLICY, clauses: BASELINE_POLICY.clauses.toReversed() }
    const { changes } = await policyJson('diff', BASELINE_HASH, save('moved.json', moved))
    expect(changes).toEqual([{ change: 'moved', what: 'clause', name: 'flight_signing_off' }])
  })

  test('of reference values, by enclave and pin', async () => {
    const hash = Buffer.alloc(32, 1).toString('base64url')
    const issuer = 'https://contoso.weu.attest.azure.net'
    const changed = {
      name: 'agents',
      enclaves: [agent({ minimum_svn: 9 }), agent({ minimum_svn: 5 })],
      azure_policies: [{ issuer, hash }],
    }
    const file = save('changed-values.json', changed)
    const { changes } = await policyJson('diff', file, '--kind', 'reference-values')
    expect(changes).toEqual([
      { change: 'changed', what: 'enclave', name: 'agent', members: ['minimum_svn'] },
      { change: 'added', what: 'enclave', name: 'agent (2)' },
      { change: 'added', what: 'pin', name: `${issuer} ${hash}` },
    ])
  })
})

describe('policy export and import', () => {
  test('writes what is in force, always alike, and leaves alone what says the same', async () => {
    const one = join(folder, 'export-one')
    const two = join(folder, 'export-two')
    await policy('export', '--dir', one, '--all')
    await policy('export', '--dir', two)
    const text = readFileSync(join(one, 'policy.json'), 'utf8')
    expect(text).toBe(readFileSync(join(two, 'policy.json'), 'utf8'))
    expect(JSON.parse(text)).toEqual(BASELINE_POLICY)
    expect(text).toMatch(/^\{\n {2}"name": "Baseline",\n.*\n\}\n$/s)
    expect(readFileSync(join(one, 'versions/policy', `${BASELINE_HASH}.json`), 'utf8')).toBe(text)

    const mine = JSON.stringify(BASELINE_POLICY, null, 7)
    writeFileSync(join(two, 'policy.json'), mine)
    const { files } = await policyJson('export', '--dir', two)
    expect(files.map(({ changed }: Json) => changed)).toEqual([false, false])
    expect(readFileSync(join(two, 'policy.json'), 'utf8')).toBe(mine)
  })

  test('what was exported comes back as versions, and nothing comes into force', async () => {
    const kept = newPolicy()
    const file = save('kept.json', kept)
    const { stdout } = await policy('import', file, '--reason', 'for later')
    expect(stdout).toContain(`policy ${hashOf('policy', kept)}`)
    expect(stdout).toContain('Nothing is in force that was not before.')
    expect(await store.document('policy', hashOf('policy', kept))).toMatchObject({
      author: COMMAND_LINE,
      reason: 'for later',
      parent: BASELINE_HASH,
    })
    expect(await inForce('policy')).toBe(BASELINE_HASH)

    const dir = join(folder, 'round-trip')
    await policy('export', '--dir', dir, '--all')
    expect(readdirSync(join(dir, 'versions/policy'))).toContain(`${hashOf('policy', kept)}.json`)
    const { imported } = await policyJson('import', '--dir', dir)
    expect(new Set(imported.map(({ changed }: Json) => changed))).toEqual(new Set([false]))
  })

  test('one bad document keeps all of a folder out', async () => {
    const dir = join(folder, 'bad-import')
    const good = newPolicy()
    save('bad-import/policy.json', good)
    save('bad-import/reference-values.json', '{"enclaves": [}')
    const { code, stdout } = await policy('import', '--dir', dir)
    expect(code).toBe(3)
    expect(stdout).toContain('reference-values.json:1:15: error json_syntax')
    expect(await store.document('policy', hashOf('policy', good))).toBeNull()
  })

  test('a version under the name of another is refused', async () => {
    const dir = join(folder, 'swapped')
    save('swapped/policy.json', BASELINE_POLICY)
    save(`swapped/versions/policy/${'a'.repeat(64)}.json`, newPolicy())
    const { code, stdout } = await policy('import', '--dir', dir)
    expect(code).toBe(3)
    expect(stdout).toContain('not what it is named by')
  })
})

describe('policy plan and apply', () => {
  test('what is in force already is nothing to do, again and again', async () => {
    const dir = join(folder, 'same')
    await policy('export', '--dir', dir)
    expect(await policy('plan', '--dir', dir)).toMatchObject({ code: 0 })
    const { code, stdout } = await policy('apply', '--dir', dir)
    expect(code).toBe(0)
    expect(stdout.match(/is in force: nothing to do/g)).toHaveLength(2)
  })

  test('plan says what would change, and whether a preview counts, and changes nothing', async () => {
    const changed = newPolicy()
    const file = save('plan.json', changed)
    const first = await policy('plan', file)
    expect(first).toMatchObject({ code: 4 })
    expect(first.stdout).toContain('preview: none that counts')
    expect(first.stdout).toContain('- clause secure_boot_on')
    expect(first.stdout).toContain(`${COMMAND} policy apply ${file}`)
    await recordPreview('policy', changed, { newlyDenied: 3 })
    expect((await policy('plan', file)).stdout).toMatch(/preview: of 20\S+Z, 3 newly denied/)
    expect(await inForce('policy')).toBe(BASELINE_HASH)
  })

  test.each([
    ['is too old', { ageMs: 3_700_000 }],
    ['is of the future', { ageMs: -3_600_000 }],
    ['was made against another policy', { policyHash: namedHash('f'.repeat(64)) }],
  ])('a preview that %s does not count', async (_, preview) => {
    const changed = newPolicy()
    await recordPreview('policy', changed, preview)
    const { documents } = await policyJson('plan', save('stale.json', changed))
    expect(documents).toMatchObject([{ state: 'changed', preview_needed: true }])
  })

  test('how old a preview may be can be said', async () => {
    const changed = newPolicy()
    await recordPreview('policy', changed, { ageMs: 3_700_000 })
    const file = save('age.json', changed)
    const asked = async (age: string) =>
      (await policyJson('plan', file, '--preview-max-age', age)).documents[0].preview_needed
    expect([await asked('2h'), await asked('61m'), await asked('1d')]).toEqual([false, true, false])
  })

  test('a document that lint refuses changes nothing, whatever else is there', async () => {
    const dir = join(folder, 'refused')
    save('refused/policy.json', newPolicy('false'))
    save('refused/reference-values.json', { name: 'other', enclaves: [agent()] })
    expect(await policy('plan', '--dir', dir)).toMatchObject({ code: 3 })
    const { code, stdout } = await policy('apply', '--dir', dir, '--yes')
    expect(code).toBe(3)
    expect(stdout).toContain('error policy_clause_denies_all clause_0:')
    expect(stdout).toContain('Nothing was applied: correct the errors first.')
    expect(await inForce('reference-values')).toBe(VALUES_HASH)
  })

  test('devices that would be denied keep a document out until somebody says how many', async () => {
    const changed = newPolicy()
    const file = save('denies.json', changed)
    await recordPreview('policy', changed, { newlyDenied: 10, newlyRefused: 2 })
    const refused = await policy('apply', file, '--yes')
    expect(refused.code).toBe(3)
    expect(refused.stdout).toContain('12 devices would be denied that are allowed now')
    expect(refused.stdout).toContain(`${COMMAND} policy preview ${file}`)
    expect(refused.stdout).toContain('--accept-denials 12')
    expect((await policy('apply', file, '--yes', '--accept-denials', '11')).code).toBe(3)
    expect(await inForce('policy')).toBe(BASELINE_HASH)

    const args = ['apply', file, '--yes', '--accept-denials', '12', '--reason', 'as agreed']
    const { documents } = await policyJson(...args)
    expect(documents).toMatchObject([{ outcome: 'activated', newly_denied: 12 }])
    expect(await store.activeDocument('policy')).toMatchObject({
      hash: hashOf('policy', changed),
      parent: BASELINE_HASH,
      author: COMMAND_LINE,
      reason: 'as agreed',
    })
    expect(await policy('apply', file)).toMatchObject({ code: 0 })
  })

  test('without --yes nobody can be asked here, and JSON asks nobody', async () => {
    const changed = newPolicy()
    await recordPreview('policy', changed)
    const file = save('asked.json', changed)
    await expect(policy('apply', file)).rejects.toThrow('say --yes')
    await expect(policy('apply', file, '--json')).rejects.toThrow('say --yes too')
    expect(await inForce('policy')).toBe(BASELINE_HASH)
  })
})

describe('policy activate', () => {
  test('brings a kept version into force through the same gates, repeatably', async () => {
    const kept = newPolicy()
    const hash = hashOf('policy', kept)
    await policy('import', save('activate.json', kept))
    const activate = (...args: readonly string[]) =>
      policy('activate', hash.slice(0, 10), '--reason', 'back', ...args)
    await recordPreview('policy', kept, { newlyDenied: 1 })
    expect(await activate()).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('1 device would be denied'),
    })
    expect(await activate('--accept-denials', '1')).toMatchObject({
      code: 0,
      stdout: `${hash} is in force. Running services decide by it from their next request on.\n`,
    })
    expect((await activate()).stdout).toContain('already: nothing was changed')
    expect(await inForce('policy')).toBe(hash)
  })

  test('a version that lint refuses today does not come back', async () => {
    const denies = newPolicy('false')
    await policy('import', save('lint-today.json', denies))
    const args = ['activate', hashOf('policy', denies), '--reason', 'x', '--accept-denials', '999']
    const { code, stdout } = await policy(...args)
    expect(code).toBe(3)
    expect(stdout).toContain('error policy_clause_denies_all')
    expect(await inForce('policy')).toBe(BASELINE_HASH)
  })
})

describe('with a fleet on record', () => {
  let fleet: { readonly data: string; readonly store: Store }
  const fleetPolicy = (...args: readonly string[]) =>
    callCommand(command, [...args, '--data', fleet.data])
  const hashInForce = async (kind: DocumentKind) => (await fleet.store.activeDocument(kind))?.hash

  beforeAll(async () => {
    const directory = join(folder, 'fleet')
    await makeDataDirectory(directory)
    const opened = await openEmbeddedStore(directory)
    fleet = { data: directory, store: opened }
    const database = {
      store: opened,
      query: () => Promise.resolve([]),
      serve: <T>(answer: () => Promise<T>) => answer(),
      close: () => Promise.resolve(),
    }
    const service = await createTestService({ database, clock: testClock(new Date()) })
    const attested = expectOk(await service.agentOf(await startDevice()).attest())
    expect(attested.verdict).toBe('trusted')
  })
  afterAll(() => fleet.store.close())

  test('apply makes the preview that is missing, and stops at what it finds', async () => {
    const before = await hashInForce('policy')
    const wrong = save('wrong-svn.json', newPolicy('attestation.enclaveSvn > 1000'))
    expect((await callCommand(command, ['lint', wrong])).code).toBe(0)
    const { code, stdout } = await fleetPolicy('apply', wrong, '--yes')
    expect(code).toBe(3)
    expect(stdout).toContain('clause_0')
    expect(stdout).toContain('1 device would be denied that is allowed now')
    expect(await hashInForce('policy')).toBe(before)
    expect((await fleetPolicy('preview', wrong)).code).toBe(3)
  })

  test('raised too early, a minimum version is stopped as well', async () => {
    const before = await hashInForce('reference-values')
    const dir = join(folder, 'raised')
    await fleetPolicy('export', '--dir', dir)
    const path = join(dir, 'reference-values.json')
    const values = JSON.parse(readFileSync(path, 'utf8'))
    values.enclaves[0].minimum_svn = 60_000
    writeFileSync(path, JSON.stringify(values))
    expect((await fleetPolicy('apply', '--dir', dir, '--yes')).code).toBe(3)
    expect(await hashInForce('reference-values')).toBe(before)
  })

  test('a whole folder comes into force, each document previewed against the one before', async () => {
    const dir = join(folder, 'whole')
    await fleetPolicy('export', '--dir', dir)
    const path = join(dir, 'reference-values.json')
    const values = { ...JSON.parse(readFileSync(path, 'utf8')), name: 'renamed' }
    writeFileSync(path, JSON.stringify(values))
    const changed = newPolicy('attestation.enclave.listed')
    writeFileSync(join(dir, 'policy.json'), JSON.stringify(changed))
    const { code, stdout } = await fleetPolicy('apply', '--dir', dir, '--yes', '--json')
    expect(code).toBe(0)
    const { documents } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
    expect(documents).toMatchObject([
      { kind: 'reference-values', outcome: 'activated', newly_denied: 0 },
      { kind: 'policy', outcome: 'activated', newly_denied: 0 },
    ])
    expect(await fleet.store.preview('policy', hashOf('policy', changed))).toMatchObject({
      referenceValuesHash: hashOf('reference-values', values),
    })
    expect((await fleetPolicy('apply', '--dir', dir)).code).toBe(0)
  })

  test('a preview of a version or a file is what apply goes by afterwards', async () => {
    const changed = newPolicy('attestation.vbsEnabled')
    const file = save('previewed.json', changed)
    await fleetPolicy('import', file)
    const { code } = await fleetPolicy('preview', hashOf('policy', changed).slice(0, 12), '--json')
    expect(code).toBe(0)
    const plan = await fleetPolicy('plan', file, '--json')
    expect(JSON.parse(plan.stdout).documents).toMatchObject([
      { preview_needed: false, newly_denied: 0 },
    ])
    const applied = await fleetPolicy('apply', file, '--yes')
    expect(applied.code).toBe(0)
    expect(applied.stdout).not.toContain('can be compared')
    expect(await hashInForce('policy')).toBe(hashOf('policy', changed))
  })
})

test.each([
  [['lint']],
  [['show', 'a', 'b']],
  [['list', 'x']],
  [['list', '--kind', 'policies']],
  [['list', '--limit', '0']],
  [['diff']],
  [['plan']],
  [['apply', 'a.json', '--dir', '.']],
  [['activate', 'abcdef01']],
  [['activate', '--reason', 'x']],
  [['plan', '--dir', '']],
  [['plan', 'x', '--preview-max-age', '1y']],
  [['lint', 'x', '--yes']],
  [['export', '--kind', 'policy']],
  [['remove', 'x']],
])('%j is wrong usage', async (args) => {
  await expect(callCommand(command, args)).rejects.toThrow(UsageError)
})

test('a folder without documents says how to get some', async () => {
  const dir = join(folder, 'empty')
  mkdirSync(dir)
  await expect(policy('plan', '--dir', dir)).rejects.toThrow(`${COMMAND} policy export --dir`)
})
