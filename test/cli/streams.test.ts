import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { command } from '../../src/cli/streams/streams.ts'
import { PUSH } from '../../src/signals/stream.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { attestationOf, newDeviceId } from '../store/fixtures.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')
const now = new Date('2026-03-01T12:00:00Z')

beforeAll(async () => {
  vi.stubEnv('SECRET_KEY', randomBytes(32).toString('base64'))
  folder = mkdtempSync(join(tmpdir(), 'countersign-streams-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const streams = (...args: readonly string[]) => callCommand(command, [...args, '--data', data()])
const json = async (...args: readonly string[]) =>
  JSON.parse((await streams(...args, '--json')).stdout)

async function make(streamId: string) {
  await store.createStream({
    ...{ streamId, clientId: 'cli_a', audience: 'https://receiver.example', most: 9 },
    delivery: { method: PUSH, url: 'https://receiver.example/in', sealedAuthorization: null },
    ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
    ...{ subjectForm: 'device', by: 'test', now },
  })
  return streamId
}

test('without streams says how one comes about', async () => {
  expect((await streams('list')).stdout).toContain('streams okta URL')
  expect(await json('list')).toEqual([])
})

describe('a stream', () => {
  test('is listed and shown with what waits for it', async () => {
    const id = await make('str_a')
    await store.recordAttestation(attestationOf({ deviceId: newDeviceId() }))
    const { stdout } = await streams('list')
    expect(stdout).toMatch(/^str_a +https:\/\/receiver.example\/in +enabled +1 +0$/m)
    expect(await json('show', id)).toMatchObject({ stream_id: id, waiting: 1, refused: 0 })
    expect((await streams('show', id)).stdout).toMatch(/^State +enabled$/m)
    await expect(streams('show', 'str_none')).rejects.toThrow('there is no stream str_none')
  })

  test('is sent one event of each type when it is tested', async () => {
    expect((await streams('test', 'str_a')).stdout).toContain('device-compliance-change')
    const due = await store.dueDeliveries({ streamId: 'str_a', now: new Date(), limit: 10 })
    expect(due.map(({ type }) => type)).toContain('test')
    await expect(streams('test', 'str_none')).rejects.toThrow('there is no stream')
  })

  test('is paused, told so, and enabled again', async () => {
    const reason = ['--reason', 'maintenance']
    expect(await json('status', 'str_a', 'paused', ...reason)).toMatchObject({ changed: true })
    expect(await json('status', 'str_a', 'paused', ...reason)).toMatchObject({ changed: false })
    expect(await json('show', 'str_a')).toMatchObject({ status: 'paused', reason: 'maintenance' })
    const { stdout } = await streams('test', 'str_a')
    expect(stdout).toContain('is paused')
    // What it says to do next can be typed as it stands.
    const next = /-- streams (.+)\)$/m.exec(stdout)?.[1] ?? ''
    expect((await streams(...next.split(' '))).stdout).toBe('str_a is enabled.\n')
    const due = await store.deliveriesOf({ streamId: 'str_a', limit: 100 })
    // Two tests, two changes of status, one device.
    expect(due).toHaveLength(5)
  })

  test('lists what was refused, which is sent again by its number or all at once', async () => {
    const due = await store.dueDeliveries({ streamId: 'str_a', now: new Date(), limit: 10 })
    const refusal = { outcome: 'refused', delivered: [], failure: 'invalid_request' } as const
    const outcomes = due.map((one) => ({ ...one, ...refusal }))
    await store.settleDeliveries({ outcomes, now: new Date() })
    const dead = await json('dead', 'str_a')
    expect(dead).toHaveLength(due.length)
    const [{ position }] = dead
    expect((await streams('dead', 'str_a')).stdout).toContain('invalid_request')
    expect(await json('replay', 'str_a', String(position))).toMatchObject({ replayed: 1 })
    expect(await json('replay', 'str_a', String(position))).toMatchObject({ replayed: 0 })
    const left = dead.length - 1
    expect(await json('replay', 'str_a', '--all')).toMatchObject({ replayed: left })
    expect((await streams('dead', 'str_a')).stdout).toBe('str_a has refused nothing.\n')
  })

  test('ATTACK: shows no lines that its receiver wrote', async () => {
    const forged = 'maintenance\nRefused       0\u001b[1A'
    const change = {
      streamId: 'str_a',
      clientId: 'cli_a',
      status: 'paused',
      reason: forged,
    } as const
    expect(await store.setStreamStatus({ ...change, by: 'cli_a', now })).toBe('applied')
    const { stdout } = await streams('show', 'str_a')
    expect(stdout.match(/^Refused /gm)).toHaveLength(1)
    expect(stdout).toContain('paused: maintenance\\u000aRefused')
  })

  test('ends when somebody says yes', async () => {
    expect((await streams('remove', 'str_a', '--yes')).stdout).toBe('str_a has ended.\n')
    await expect(streams('remove', 'str_a', '--yes')).rejects.toThrow('there is no stream')
  })
})

describe('an Okta organisation', () => {
  test('gets one stream, in its own form, and with it the first key', async () => {
    const { stream_id: id } = await json('okta', 'https://example.okta.com')
    expect(await json('show', id)).toMatchObject({
      ...{ audience: 'https://example.okta.com', subject_form: 'okta' },
      delivery: { endpoint_url: 'https://example.okta.com/security/api/v1/security-events' },
    })
    const keys = await store.listSigningKeys()
    expect(keys.filter(({ use }) => use === 'security-event')).toHaveLength(1)
    expect((await streams('okta', 'https://example.okta.com')).code).toBe(3)
    await streams('okta', 'https://other.okta.com')
    const after = await store.listSigningKeys()
    expect(after.filter(({ use }) => use === 'security-event')).toHaveLength(1)
  })
})

describe('a stream of states', () => {
  test.each([
    ['entra', 'extensionAttribute7', 'state/entra/extensionAttribute7'],
    ['google', '01abc23d-countersign', 'state/google/01abc23d-countersign'],
  ])('is made for a place at %s once, and filled', async (vendor, place, target) => {
    const { stream_id: id } = await json(vendor, place)
    expect(await json('show', id)).toMatchObject({
      ...{ delivery: { method: 'state', target }, status: 'enabled', waiting: 0 },
    })
    expect((await streams('list')).stdout).toContain(target)
    expect((await streams(vendor, place)).code).toBe(3)
    const { devices } = await json('fill', id)
    expect(devices).toBeGreaterThan(0)
    expect(await json('show', id)).toMatchObject({ waiting: devices })
    expect((await streams('test', id)).code).toBe(0)
  })

  test('alone is filled: events have happened, or they have not', async () => {
    const id = await make('str_events')
    await expect(streams('fill', id)).rejects.toThrow('cannot be filled')
    await expect(streams('fill', 'str_none')).rejects.toThrow('there is no stream')
  })
})

describe('a stream that fails says what to do', () => {
  const retryAt = new Date(now.getTime() + 60_000)
  const adviceOf = async (streamId: string, failure: string) => {
    await store.noteStreamHealth({ streamId, failing: { failure, retryAt }, now })
    const { advice } = await json('show', streamId)
    expect((await streams('show', streamId)).stdout).toContain(`\n\n${advice}\n`)
    return advice
  }

  beforeAll(() => make('str_failing'))

  test.each([
    ['its address is not a public one', 'PUSH_PRIVATE_HOSTS'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['ENOTFOUND', 'DNS'],
    ['401', 'authorization_header'],
    ['400 invalid_audience', 'audience above'],
    ['503', 'Look at the receiver'],
  ])('where it is pushed to: %s', async (failure, advice) => {
    expect(await adviceOf('str_failing', failure)).toContain(advice)
  })

  test.each([
    ['entra', 'extensionAttribute4', 'provider_credential_refused', 'AZURE_CREDENTIAL'],
    [
      'entra',
      'extensionAttribute5',
      '403 Authorization_RequestDenied',
      'what the credential may do',
    ],
    ['google', '01abc23d-advice', 'no GOOGLE_SERVICE_ACCOUNT here', 'GOOGLE_SERVICE_ACCOUNT_FILE'],
    ['google', '01abc23d-other', 'no answer', 'docs/guides/google-context-aware.md'],
  ])('where it is written to: %s %s: %s', async (vendor, place, failure, advice) => {
    const { stream_id: id } = await json(vendor, place)
    expect(await adviceOf(id, failure)).toContain(advice)
  })
})

test.each([
  [['entra', 'extensionAttribute16']],
  [['google', 'C01abc23d-countersign']],
  [['google', '01abc23d']],
  [['okta', 'http://example.okta.com']],
  [['okta', 'https://example.okta.com/app']],
  [['replay', 'str_a']],
  [['replay', 'str_a', '1', '--all']],
  [['replay', 'str_a', 'x']],
  [['status', 'str_a', 'off', '--reason', 'x']],
  [['remove', 'str_a', '--json']],
])('%j is wrong usage', async (args) => {
  await expect(streams(...args)).rejects.toThrow(UsageError)
})
