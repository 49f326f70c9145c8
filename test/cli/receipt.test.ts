import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importReceiptKeys } from '../../src/access/receipt/keys.ts'
import { MAX_RECEIPT_CHARS } from '../../src/access/receipt/limits.ts'
import { verifyReceipt } from '../../src/access/receipt/verify.ts'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { verb } from '../../src/cli/framework/command.ts'
import { collectInputs } from '../../src/cli/receipt/collect-inputs.ts'
import { exportReceipt } from '../../src/cli/receipt/export.ts'
import { command } from '../../src/cli/receipt/receipt.ts'
import { parseConfig } from '../../src/config/config.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import type { Store } from '../../src/store/store.ts'
import { leavesOf, otherValue, withChange } from '../access/receipt/receipt-fixture.ts'
import { documentOf } from '../policy/healthy-device.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import { programPath } from '../support/programs.ts'
import { putInForce } from '../support/put-in-force.ts'
import { expectOk, expectRefusal, noteReason } from '../support/refusal.ts'
import { createTestService, readOk, START, startDevice, testClock } from '../support/service.ts'
import { attestMinted, newDeviceKey, rememberHealthy } from '../support/submission.ts'
import { openTestDatabase } from '../support/test-database.ts'
import { callCommand } from './call-command.ts'
import { runCli, startServe } from './cli-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-receipt-'))
const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const pep = await service.as('access.evaluate')

beforeAll(async () => {
  await rememberHealthy(service, await startDevice())
  file('jwks.json', await readOk(await service.request('/.well-known/jwks.json')))
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const place = (name: string) => join(folder, name)
const readJson = (path: string): Json => JSON.parse(readFileSync(path, 'utf8'))

async function attest(deviceKey = newDeviceKey(), claims: object = {}) {
  const { answer, deviceId } = await attestMinted(service, { deviceKey, claims: { ...claims } })
  await readOk(answer, 201)
  return { deviceKey, deviceId }
}

/** A decision with a receipt, both in files as an auditor has them. */
async function decide(deviceId: string, name = 'receipt.jws') {
  const request = {
    subject: { type: 'user', id: 'alice', properties: { device_id: deviceId } },
    resource: { type: 'application', id: 'payroll' },
    action: { name: 'signin' },
    context: { receipt: true },
  }
  const answer = await service.post('/access/v1/evaluation', request, { headers: pep })
  const { decision, context } = await readOk(answer)
  const { receipt } = context
  return {
    decision,
    receipt,
    path: file(name, `${receipt}\n`),
    request: file('request.json', request),
  }
}

async function verify(path: string, ...more: readonly string[]) {
  const args = ['verify', path, '--jwks', place('jwks.json'), ...more]
  const { code, stdout } = await callCommand(command, [...args, '--json'])
  return { code, ...JSON.parse(stdout) }
}

type Given = { readonly out?: string; readonly request?: string }

/** On the database of the test rather than on one that the configuration names. */
async function exportInputs(path: string, given: Given = {}, store: Store = database.store) {
  const { out = place('inputs.json'), request } = given
  const args = [path, '--out', out, ...(request === undefined ? [] : ['--request', request])]
  const onStore = verb({
    ...exportReceipt,
    async run(values) {
      const perform = await exportReceipt.run(values)
      return typeof perform === 'number' ? perform : perform(store, expectOk(parseConfig({})))
    },
  })
  const { code, stdout } = await callCommand(onStore, [...args, '--json'])
  return { code, out, ...JSON.parse(stdout) }
}

async function claimsOf(receipt: string) {
  const keys = expectOk(await importReceiptKeys(await service.services.publishedKeys()))
  return expectOk(await verifyReceipt(receipt, { keys })).claims
}

describe('a receipt of the service', () => {
  test('is verified offline, and its decision comes out again from exported inputs', async () => {
    const { deviceId } = await attest()
    const { path, request, receipt } = await decide(deviceId)
    const issued = ['--issuer', service.url]
    expect(await verify(path, ...issued)).toMatchObject({
      code: 0,
      verified: true,
      signed: true,
      recomputed: false,
      remarks: [expect.stringContaining('--inputs')],
      receipt: { device_id: deviceId, decision: true },
    })
    const { code, out, remarks } = await exportInputs(path, { request })
    expect({ code, remarks }).toEqual({ code: 0, remarks: [] })
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(await verify(path, ...issued, '--inputs', out)).toMatchObject({
      code: 0,
      verified: true,
      recomputed: true,
      remarks: [],
    })
    expect(await verify(file('bare.jws', receipt))).toMatchObject({
      code: 0,
      remarks: [expect.stringContaining('--issuer'), expect.stringContaining('--inputs')],
    })
  })

  test('is refused with any input that is another, named', async () => {
    const { deviceId } = await attest()
    const { path, request } = await decide(deviceId)
    const { out } = await exportInputs(path, { request })
    const inputs = readJson(out)
    for (const at of leavesOf(inputs)) {
      const changed = file('changed.json', withChange(inputs, at, otherValue))
      const found = await verify(path, '--inputs', changed)
      expect(found).toMatchObject({ code: 3, verified: false, signed: true, recomputed: false })
      expect(found.reason).toMatch(/^receipt_inputs_(differ|malformed)$/)
      expect(found.where.input ?? found.where.at.split('.')[0]).toBe(at[0])
    }
  })

  test('gets the request from who asked when the inputs were exported without it', async () => {
    const { deviceId } = await attest()
    const { path, request } = await decide(deviceId)
    const { code, out, remarks } = await exportInputs(path)
    expect(code).toBe(0)
    expect(remarks).toEqual([expect.stringContaining('--request')])
    await expect(verify(path, '--inputs', out)).rejects.toThrow(/add it with --request/)
    expect(await verify(path, '--inputs', out, '--request', request)).toMatchObject({ code: 0 })
    const other = file('other.json', { ...readJson(request), action: { name: 'other' } })
    expect(await verify(path, '--inputs', out, '--request', other)).toMatchObject({
      code: 3,
      reason: 'receipt_inputs_differ',
      where: { input: 'request', member: 'request_digest' },
    })
    expect(await exportInputs(path, { request: other })).toMatchObject({
      code: 3,
      reason: 'receipt_inputs_differ',
    })
  })

  test('is told to people with its clauses, and a refusal with its reason first', async () => {
    const { deviceId } = await attest(newDeviceKey(), { secureBootEnabled: false })
    const { path } = await decide(deviceId)
    const args = ['verify', path, '--jwks', place('jwks.json')]
    const { stdout } = await callCommand(command, args)
    expect(stdout).toMatch(/^VERIFIED\n/)
    expect(stdout).toMatch(/decision +denied/)
    expect(stdout).toMatch(/secure_boot_on +fail/)
    const refused = await callCommand(command, [...args, '--issuer', 'https://other.example'])
    expect(refused.code).toBe(3)
    expect(refused.stdout).toMatch(/^REFUSED {2}receipt_issuer_differs\n/)
  })

  test('is refused for what is wrong with it, and shows nothing of what it says', async () => {
    const { path, receipt } = await decide((await attest()).deviceId)
    const wrong: readonly (readonly [string, string])[] = [
      [receipt.replace(/.{6}$/, 'AAAAAA'), 'receipt_signature_invalid'],
      [receipt.slice(0, 100), 'receipt_malformed'],
      ['', 'receipt_malformed'],
      ['a'.repeat(MAX_RECEIPT_CHARS + 1), 'receipt_too_large'],
    ]
    for (const [text, reason] of wrong) {
      const found = await verify(file('wrong.jws', text))
      expect(found).toMatchObject({ code: 3, verified: false, signed: false, reason })
      expect(found).not.toHaveProperty('receipt')
    }
    const { keys } = readJson(place('jwks.json'))
    const jwks = file('other-keys.json', { keys: keys.slice(0, 1) })
    const unknown = await callCommand(command, ['verify', path, '--jwks', jwks, '--json'])
    expect(JSON.parse(unknown.stdout)).toMatchObject({ reason: 'receipt_key_unknown' })
  })
})

describe('the inputs of a receipt', () => {
  test('come from the history when the device has attested since', async () => {
    const { deviceId, deviceKey } = await attest(newDeviceKey(), { bootCounter: 1 })
    const { path, request, receipt } = await decide(deviceId)
    for (let i = 0; i < 4; i++) {
      clock.advance(3_600)
      await attest(deviceKey, { bootCounter: 2 + i, secureBootEnabled: false })
    }
    const { code, out } = await exportInputs(path, { request })
    expect(code).toBe(0)
    const { evidence } = readJson(out)
    const { attestation_id, valid_until } = await claimsOf(receipt)
    expect(evidence).toMatchObject({ attestation_id, valid_until, claims: { bootCounter: 1 } })
    expect(await verify(path, '--inputs', out)).toMatchObject({ code: 0, recomputed: true })
  })

  test('are those of the documents that were in force then', async () => {
    const { path, request } = await decide((await attest()).deviceId)
    const stricter = expectOk(compilePolicy(documentOf('false')))
    const names = { author: 'test', reason: 'stricter', now: START }
    const document = {
      kind: 'policy',
      hash: stricter.hash,
      body: stricter.document as Json,
    } as const
    expect(await putInForce(database.store, { ...document, ...names })).toBe('applied')
    const { out } = await exportInputs(path, { request })
    expect(await verify(path, '--inputs', out)).toMatchObject({ code: 0, recomputed: true })
    const active = await service.services.store.activeDocument('policy')
    const swapped = file('swapped.json', { ...readJson(out), policy: active?.body })
    expect(await verify(path, '--inputs', swapped)).toMatchObject({
      code: 3,
      where: { input: 'policy', member: 'policy_hash' },
    })
  })

  test('can be had after a quarantine came or went', async () => {
    const { deviceId } = await attest()
    const change = { deviceId, by: 'test', reason: 'test', now: START }
    const free = await decide(deviceId, 'free.jws')
    await database.store.quarantineDevice(change)
    const blocked = await decide(deviceId, 'blocked.jws')
    expect(await exportInputs(free.path, { request: free.request })).toMatchObject({ code: 0 })
    await database.store.releaseDevice(change)
    const { code, out } = await exportInputs(blocked.path, { request: blocked.request })
    expect(code).toBe(0)
    expect(readJson(out).device.quarantined).toBe(true)
  })

  test('are refused when the device is described otherwise now', async () => {
    const { deviceId } = await attest()
    const { path, receipt } = await decide(deviceId)
    const changes = { labels: ['new'] }
    await database.store.setDeviceAttributes({ deviceId, changes, by: 'test', now: START })
    const where = { input: 'device', name: deviceId }
    const reason = 'receipt_input_changed'
    expect(await exportInputs(path)).toMatchObject({ code: 3, verified: false, reason, where })
    expectRefusal(await collectInputs(database.store, await claimsOf(receipt)), reason)
  })

  test('are refused when they are not stored any more, or otherwise than they were', async () => {
    const { deviceId, deviceKey } = await attest()
    const { path, receipt } = await decide(deviceId)
    const { store } = database
    const claims = await claimsOf(receipt)
    const altered: readonly (readonly [string, string, Partial<Store>])[] = [
      ['receipt_input_not_stored', 'policy', { document: async () => null }],
      [
        'receipt_input_changed',
        'policy',
        {
          document: async (kind, hash) => {
            const stored = await store.document(kind, hash)
            return stored && { ...stored, body: { enclaves: [] } }
          },
        },
      ],
      [
        'receipt_input_not_stored',
        'device',
        { trustRecord: async (id) => ({ ...(await store.trustRecord(id)), record: null }) },
      ],
    ]
    for (const [reason, input, change] of altered) {
      const found = await exportInputs(path, {}, { ...store, ...change })
      expect(found).toMatchObject({ code: 3, reason, where: { input } })
      const collected = await collectInputs({ ...store, ...change }, claims)
      if (collected.ok) expect.fail('collected')
      noteReason(collected.failure.reason)
    }
    clock.advance(60)
    await attest(deviceKey)
    await database.query(
      `update attestation set claims = '{}' where attestation_id = '${claims.attestation_id}'`,
    )
    const where = { input: 'evidence', name: claims.attestation_id }
    expect(await exportInputs(path)).toMatchObject({ reason: 'receipt_input_changed', where })
    await database.query(`delete from attestation where device_id = '${deviceId}'`)
    expect(await exportInputs(path)).toMatchObject({ reason: 'receipt_input_not_stored', where })
    expectRefusal(await collectInputs(store, claims), 'receipt_input_not_stored')
  })

  test('are given to no receipt of another service', async () => {
    const { path } = await decide((await attest()).deviceId)
    const other = await openTestDatabase()
    try {
      await expect(exportInputs(path, {}, other.store)).rejects.toThrow(/no service has made/)
      await createTestService({ database: other, clock })
      expect(await exportInputs(path, {}, other.store)).toMatchObject({
        code: 3,
        reason: 'receipt_key_unknown',
      })
    } finally {
      await other.close()
    }
  })
})

describe('wrong usage', () => {
  test.each([
    [['show', 'x'], /there is no 'show', but: verify, export/],
    [['verify'], /FILE is missing/],
    [['verify', 'no-such-file', '--jwks', 'x'], /cannot read no-such-file \(ENOENT\)/],
    [['export', 'no-such-file'], /--out is missing/],
    [['export', 'no-such-file', '--out', 'x'], /cannot read no-such-file/],
  ])('%j', async (args, message) => {
    await expect(callCommand(command, args)).rejects.toThrow(message)
  })

  test('of options that go with others', async () => {
    const path = file('any.jws', 'x')
    const jwks = ['--jwks', place('jwks.json')]
    await expect(callCommand(command, ['verify', path])).rejects.toThrow(/--jwks is missing/)
    await expect(
      callCommand(command, ['verify', path, ...jwks, '--request', place('jwks.json')]),
    ).rejects.toThrow(/--request goes with --inputs/)
    await expect(callCommand(command, ['verify', path, ...jwks, '--issuer', ''])).rejects.toThrow(
      /--issuer/,
    )
    await expect(callCommand(command, ['verify', path, '--jwks', path])).rejects.toThrow(
      /is not JSON/,
    )
    const empty = file('empty.json', { keys: [] })
    await expect(callCommand(command, ['verify', path, '--jwks', empty])).rejects.toThrow(
      /key_set_empty/,
    )
    const unreadable = await decide((await attest()).deviceId)
    await expect(exportInputs(unreadable.path, { out: '/no/such/folder/x' })).rejects.toThrow(
      /cannot write/,
    )
  })
})

test('the whole way, on the data directory of a running service', async () => {
  const data = place('data')
  await makeDataDirectory(data)
  const running = await startServe(['--port', '0', '--data', data])
  try {
    const scope = ['--scope', 'access.evaluate,admin.read']
    const create = ['create', '--name', 'auditor', ...scope, '--json', '--data', data]
    const { id, secret } = JSON.parse((await callCommand(clients, create)).stdout)
    await runCli(['simulate', '--url', running.url, '--devices', '1', '--rate', '0'])
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/json' }
    const get = async (path: string, init: RequestInit = {}): Promise<Json> =>
      (await fetch(running.url + path, { headers, ...init })).json()
    const { devices } = await get('/v1/devices')
    const request = {
      subject: { type: 'device', id: devices[0].device_id },
      resource: { type: 'application', id: 'payroll' },
      action: { name: 'signin' },
      context: { receipt: true },
    }
    const body = JSON.stringify(request)
    const { context } = await get('/access/v1/evaluation', { method: 'POST', body })
    const jwks = file('served.json', await get('/.well-known/jwks.json'))
    const path = file('served.jws', context.receipt)
    const out = place('served-inputs.json')
    const given = ['--request', file('served-request.json', body), '--out', out, '--data', data]
    const exported = await callCommand(command, ['export', path, ...given])
    expect(exported).toMatchObject({ code: 0, stdout: expect.stringContaining(`are in ${out}`) })
    const args = ['receipt', 'verify', '-', '--jwks', jwks, '--inputs', out, '--json']
    const verified = spawnSync(process.execPath, [programPath('src/cli.ts'), ...args], {
      input: context.receipt,
      encoding: 'utf8',
    })
    expect(verified.stderr).toBe('')
    expect(verified.status).toBe(0)
    expect(JSON.parse(verified.stdout)).toMatchObject({
      recomputed: true,
      receipt: { decision: true, device_id: devices[0].device_id },
    })
  } finally {
    await running.end('SIGTERM')
  }
}, 120_000)
