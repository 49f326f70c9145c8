import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { command as alarms } from '../../src/cli/alarms/alarms.ts'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { command as expiry } from '../../src/cli/expiry/expiry.ts'
import { EXIT } from '../../src/cli/framework/command.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { noteAlarms } from '../../src/operations/alerts/watch-alarms.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Json } from '../../src/store/json.ts'
import type { Store } from '../../src/store/store.ts'
import { bodyOf } from '../operations/release/documents.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { putInForce } from '../support/put-in-force.ts'
import { FLEET_VALUES, recordFleet } from '../support/recorded-fleet.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-expiry-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
  const documents = [bodyOf('reference-values', FLEET_VALUES), bodyOf('policy', BASELINE_POLICY)]
  for (const { body, ...document } of documents) {
    const names = { author: 'test', reason: 'test', now: new Date() }
    await putInForce(store, { ...document, body: body as Json, ...names })
  }
  vi.stubEnv('SECRET_KEY', Buffer.alloc(32, 9).toString('base64'))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const call = (command: Parameters<typeof callCommand>[0], ...args: readonly string[]) =>
  callCommand(command, [...args, '--data', data()])
const create = (...args: readonly string[]) =>
  call(clients, 'create', '--name', 'pipeline', '--scope', 'access.evaluate', ...args)

test('what ends is listed with what it breaks and what to do, and told by the exit code', async () => {
  expect((await call(expiry)).code).toBe(EXIT.done)
  const { stdout } = await create('--lifetime', '20d')
  expect(stdout).toMatch(/It counts until 2\d{3}-/)
  const listed = await call(expiry)
  expect(listed.stdout).toMatch(/ 19 d +client_secret +pipeline +clients$/m)
  expect(listed.stdout).toContain('then: the client is refused')
  expect(listed.stdout).toContain('Which devices would fail is not known yet')
  expect((await call(expiry, '--within', '30d')).code).toBe(EXIT.differs)
  const none = await call(expiry, '--within', '10d')
  expect([none.code, none.stdout]).toEqual([
    EXIT.done,
    expect.stringMatching(/^Nothing ends by itself until/),
  ])
  const shown = JSON.parse((await call(expiry, '--json')).stdout)
  expect(shown.expiries).toMatchObject([{ kind: 'client_secret', has_ended: false }])
  expect(shown.forecast).toBeNull()
})

test('a lifetime is of a secret alone, and of a time', async () => {
  for (const wrong of [
    ['--lifetime', '0s'],
    ['--lifetime', '9999d'],
  ]) {
    await expect(create(...wrong)).rejects.toThrow(UsageError)
  }
  const url = 'https://client.example/jwks'
  await expect(create('--jwks-url', url, '--lifetime', '1d')).rejects.toThrow(/a client with keys/)
})

test('the fleet is replayed when that is asked for, and what was foreseen is kept', async () => {
  await recordFleet(store, { devices: 3, now: new Date() })
  const { stdout } = await call(expiry, '--replay')
  expect(stdout).toMatch(/^Of 3 devices \d are allowed/m)
  expect(stdout).toMatch(/^ {2}within 90 days +0 \(0\.0 %\)$/m)
  const { forecast } = JSON.parse((await call(expiry, '--json')).stdout)
  expect(forecast).toMatchObject({ devices: 3 })
})

test('alarms are listed with what to do, and explained', async () => {
  expect((await call(alarms, 'list')).stdout).toContain('Nothing is wrong')
  const log = { error: () => {}, info: () => {} } as never
  const until = new Date(Date.now() + 60_000)
  const alarm = { name: 'break_glass_used', subject: '', level: '', detail: {}, until } as const
  await noteAlarms({ store, log, clock: () => new Date() }, [alarm])
  const listed = await call(alarms, 'list')
  expect(listed.code).toBe(EXIT.differs)
  expect(listed.stdout).toMatch(/^critical +break_glass_used +2/m)
  expect(listed.stdout).toContain('Find its jti')
  const explained = await callCommand(alarms, ['explain', 'rollout_halted'])
  expect(explained.stdout).toContain('rollout_halted (warning)')
  await expect(callCommand(alarms, ['explain', 'rollout_halte'])).rejects.toThrow(
    'did you mean rollout_halted?',
  )
})

test('destinations of alarms are added, rotated, tested and removed', async () => {
  const hooks = (...args: readonly string[]) => call(alarms, 'webhooks', ...args)
  const url = 'https://hooks.example/path'
  const added = JSON.parse((await hooks('add', url, '--alarm', 'rollout_halted', '--json')).stdout)
  const { webhook_id: id, secret } = added
  expect(secret).toMatch(/^whsec_/)
  expect((await hooks('list')).stdout).toMatch(
    new RegExp(`^${id} +hooks\\.example +rollout_halted +enabled +0 +0`, 'm'),
  )
  const rotated = await hooks('rotate', id)
  expect(rotated.stdout).toContain('The old one signs too until')
  expect(rotated.stdout).not.toContain(secret)
  expect((await hooks('test', id)).stdout).toContain('as soon as the service comes by')
  const [shown] = JSON.parse((await hooks('list', '--json')).stdout)
  expect(shown).toMatchObject({ webhook_id: id, waiting: 1 })
  expect((await hooks('remove', id, '--yes')).stdout).toBe(`${id} has ended.\n`)
  for (const verb of ['rotate', 'test'])
    await expect(hooks(verb, id)).rejects.toThrow('no destination')
  for (const wrong of [
    ['add', 'http://hooks.example/'],
    ['add', url, '--alarm', 'nothing'],
    ['rotate', id, '--overlap', '31d'],
  ]) {
    await expect(hooks(...wrong)).rejects.toThrow(UsageError)
  }
})
