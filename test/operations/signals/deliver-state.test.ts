import type { AccessToken } from '@azure/identity'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CredentialError } from '../../../src/azure/credential-error.ts'
import { createStateStream } from '../../../src/operations/signals/create-state-stream.ts'
import { deliverStream } from '../../../src/operations/signals/deliver-stream.ts'
import { fillStream } from '../../../src/operations/signals/fill-stream.ts'
import { createDeviceStateWriter } from '../../../src/operations/vendors/write-device-state.ts'
import { EXTENSION_ATTRIBUTES } from '../../../src/signals/state-target.ts'
import type { StoredStream } from '../../../src/store/signals/streams.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/**
 * Graph is a function here that answers as its reference says (`test/vendors/entra/device-attribute.test.ts`
 * has the witness): Microsoft's own cannot be had without a tenant. Store, lanes and retries are the real ones.
 */
const clock = testClock(new Date('2026-03-01T13:00:00Z'))
let database: TestDatabase
let service: TestService
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, clock })
})
afterAll(() => database?.close())

let attributes = 0

async function open() {
  const { store, rules, log } = service.services
  const attribute = EXTENSION_ATTRIBUTES[attributes++] ?? 'extensionAttribute15'
  const target = { kind: 'entra', attribute } as const
  const making = { store, clock: clock.now, newStreamId: () => newId('str_') }
  const streamId = (await createStateStream(making, target, 'test')) ?? ''
  const graph = createGraph()
  const writeState = createDeviceStateWriter({
    entra: { credential: graph.credential, graphUrl: 'https://graph.microsoft.com' },
    ...{ google: undefined, fetch: graph.fetch, timeoutMs: 5000, clock: clock.now },
  })
  const dependencies = {
    ...{ store, rules, log, issuer: service.url, clock: clock.now, chance: () => 0.5, writeState },
    signEvent: async () => expect.unreachable('a state is no event'),
    push: async () => expect.unreachable('a state is pushed to nobody'),
    postAlarm: async () => expect.unreachable('no alarm is told here'),
  }
  const found = async (): Promise<StoredStream> => {
    const stream = (await store.listStreams()).find((one) => one.streamId === streamId)
    return stream ?? expect.unreachable('the stream is gone')
  }
  return {
    ...{ store, streamId, graph, attribute, target, making, found },
    deliver: async (mayGoOn = async () => true) => {
      return deliverStream(dependencies, await found(), mayGoOn)
    },
    dead: async () => store.refusedDeliveries({ streamId, limit: 100 }),
    fill: () => fillStream({ store, clock: clock.now, wait: async () => undefined }, { streamId }),
    end: () => store.removeStream({ streamId, clientId: null, by: 'test', now: clock.now() }),
  }
}

type Sent = { readonly url: string; readonly body: string; readonly token: string }

function createGraph() {
  const sent: Sent[] = []
  const written = new Map<string, string>()
  const forgotten: string[] = []
  const state: {
    answer: (() => Response) | undefined
    known: Set<string> | undefined
    failure: CredentialError | undefined
    beforeToken: () => Promise<void>
  } = {
    ...{ answer: undefined, known: undefined, failure: undefined },
    beforeToken: async () => undefined,
  }
  return {
    ...{ sent, written, forgotten, state },
    credential: {
      async getToken(scope: string | string[]): Promise<AccessToken> {
        expect(scope).toBe('https://graph.microsoft.com/.default')
        await state.beforeToken()
        if (state.failure !== undefined) throw state.failure
        return { token: 'a token', expiresOnTimestamp: 4e12 }
      },
      forget: (token: string) => void forgotten.push(token),
    },
    fetch: (async (url: string, init: RequestInit) => {
      const headers = new Headers(init.headers)
      const body = String(init.body)
      expect([init.method, init.redirect]).toEqual(['PATCH', 'manual'])
      sent.push({ url, body, token: headers.get('authorization') ?? '' })
      if (state.answer !== undefined) return state.answer()
      const [, id = ''] = /deviceId='([^']+)'/.exec(url) ?? []
      if (state.known?.has(id) === false) {
        return Response.json({ error: { code: 'Request_ResourceNotFound' } }, { status: 404 })
      }
      const [value] = Object.values(JSON.parse(body).extensionAttributes)
      written.set(id, String(value))
      return new Response(null, { status: 204 })
    }) as typeof fetch,
  }
}

async function attest(verdict: 'trusted' | 'untrusted', deviceId = newDeviceId()): Promise<string> {
  clock.advance(1)
  const at = (clock.now().getTime() - Date.parse('2026-03-01T12:00:00Z')) / 1000
  const reasons = verdict === 'trusted' ? [] : [{ code: 'clause_failed', clause: 'secure_boot_on' }]
  await service.services.store.recordAttestation(attestationOf({ deviceId, verdict, reasons, at }))
  return deviceId
}

async function match(deviceId: string, entraDeviceId: string = crypto.randomUUID()) {
  const change = { deviceId, changes: { entraDeviceId }, by: 'test', now: clock.now() }
  await service.services.store.setDeviceAttributes(change)
  return entraDeviceId
}

test('the attribute follows what becomes of the device', async () => {
  const { graph, deliver, attribute, end } = await open()
  const deviceId = await attest('trusted')
  const id = await match(deviceId)
  await deliver()
  expect(graph.written.get(id)).toBe('compliant')
  expect(graph.sent[0]).toEqual({
    url: `https://graph.microsoft.com/v1.0/devices(deviceId='${id}')`,
    body: JSON.stringify({ extensionAttributes: { [attribute]: 'compliant' } }),
    token: 'Bearer a token',
  })
  await attest('untrusted', deviceId)
  await deliver()
  expect(graph.written.get(id)).toBe('not-compliant')
  await attest('trusted', deviceId)
  await service.services.store.quarantineDevice({
    ...{ deviceId, by: 'test', reason: 'lost', now: clock.now() },
  })
  await deliver()
  expect(graph.written.get(id)).toBe('not-compliant')
  await end()
})

test('what is written is how the device is now, whatever was to be written before', async () => {
  const { graph, deliver, end } = await open()
  const deviceId = await attest('trusted')
  const id = await match(deviceId)
  await attest('untrusted', deviceId)
  await deliver()
  expect(graph.sent.map(({ body }) => body.includes('not-compliant'))).toEqual([true, true])
  expect(graph.written.get(id)).toBe('not-compliant')
  await end()
})

/** Two processes: the first has read that the device is in order, and gets its token when it has the stream no more. */
test('ATTACK: a process that was held up writes nothing over what another one has written since', async () => {
  const { graph, deliver, end } = await open()
  const deviceId = await attest('trusted')
  const id = await match(deviceId)
  let hasStream = true
  graph.state.beforeToken = async () => {
    graph.state.beforeToken = async () => undefined
    hasStream = false
    await attest('untrusted', deviceId)
    await deliver()
  }
  await deliver(async () => hasStream)
  expect(graph.written.get(id)).toBe('not-compliant')
  expect(graph.sent.map(({ body }) => body.includes('not-compliant'))).toEqual([true, true])
  await end()
})

test('a device that cannot be matched is listed once, with why, and holds up no other', async () => {
  const { graph, deliver, dead, store, streamId, end } = await open()
  const nameless = await attest('trusted')
  const unknown = await attest('trusted')
  const [unknownId, known] = [await match(unknown), await attest('trusted')]
  const id = await match(known)
  graph.state.known = new Set([id])
  await deliver()
  await attest('untrusted', nameless)
  await attest('untrusted', unknown)
  await deliver()
  expect(graph.written).toEqual(new Map([[id, 'compliant']]))
  const told = new Map((await dead()).map(({ deviceId, failure }) => [deviceId, failure]))
  expect(await dead()).toHaveLength(2)
  expect(told.get(nameless)).toBe('unmatched no Entra device id is on record')
  expect(told.get(unknown)).toBe('unmatched Entra has no such device (Request_ResourceNotFound)')
  // Mended, and written again.
  graph.state.known.add(unknownId)
  const deliveries = await dead()
  const namelessId = await match(nameless)
  graph.state.known.add(namelessId)
  const replay = { streamId, deliveries, by: 'test', now: clock.now() }
  expect(await store.replayRefused(replay)).toBe(2)
  await deliver()
  expect(await dead()).toEqual([])
  expect(graph.written.get(unknownId)).toBe('not-compliant')
  expect(graph.written.get(namelessId)).toBe('not-compliant')
  await end()
})

test('throttled, it waits as long as it is told', async () => {
  const { graph, deliver, store, streamId, end } = await open()
  const deviceId = await attest('trusted')
  const id = await match(deviceId)
  graph.state.answer = () =>
    Response.json(
      { error: { code: 'TooManyRequests' } },
      { status: 429, headers: { 'retry-after': '90' } },
    )
  await deliver()
  const next = await store.nextDeliveryAt(streamId)
  expect(next?.getTime()).toBe(clock.now().getTime() + 90_000)
  graph.state.answer = undefined
  await deliver()
  expect(graph.written.size).toBe(0)
  clock.advance(90)
  await deliver()
  expect(graph.written.get(id)).toBe('compliant')
  await end()
})

test('a token that is not accepted is not used again, and nothing is lost without one', async () => {
  const { graph, deliver, dead, end } = await open()
  const deviceId = await attest('trusted')
  const id = await match(deviceId)
  graph.state.answer = () =>
    Response.json({ error: { code: 'InvalidAuthenticationToken' } }, { status: 401 })
  await deliver()
  expect(graph.forgotten).toEqual(['a token'])
  graph.state.answer = undefined
  graph.state.failure = new CredentialError({ reason: 'provider_credential_refused' })
  clock.advance(600)
  await deliver()
  expect(graph.written.size).toBe(0)
  graph.state.failure = undefined
  clock.advance(600)
  await deliver()
  expect(graph.written.get(id)).toBe('compliant')
  expect(await dead()).toEqual([])
  await end()
})

test('filled, it has every device that has attested, once more than needed if need be', async () => {
  const ids = new Map<string, string>()
  for (const verdict of ['trusted', 'untrusted', 'trusted'] as const) {
    const deviceId = await attest(verdict)
    ids.set(await match(deviceId), verdict === 'trusted' ? 'compliant' : 'not-compliant')
  }
  const { graph, deliver, fill, end } = await open()
  await deliver()
  expect(graph.written.size).toBe(0)
  expect(await fill()).toBeGreaterThanOrEqual(3)
  await deliver()
  for (const [id, state] of ids) expect(graph.written.get(id)).toBe(state)
  await fill()
  await deliver()
  for (const [id, state] of ids) expect(graph.written.get(id)).toBe(state)
  await end()
  expect(await fill()).toBeUndefined()
})

test('a test looks whether Entra lets us in, and writes nothing', async () => {
  const { graph, deliver, store, streamId, found, end } = await open()
  const ask = () =>
    store.announceToStream({
      ...{ streamId, clientId: null, type: 'test', payload: {}, intervalMs: 0, now: clock.now() },
    })
  await ask()
  graph.state.failure = new CredentialError({ reason: 'provider_credential_refused' })
  await deliver()
  expect((await found()).failing?.failure).toBe('provider_credential_refused')
  graph.state.failure = undefined
  clock.advance(600)
  expect(await deliver()).toBe(1)
  expect(graph.sent).toEqual([])
  expect((await found()).failing).toBeNull()
  await end()
})

test('a device that nobody could ask for says nothing of whether Entra lets us in', async () => {
  const { graph, deliver, store, streamId, found, dead, end } = await open()
  graph.state.failure = new CredentialError({ reason: 'provider_credential_refused' })
  await store.announceToStream({
    ...{ streamId, clientId: null, type: 'test', payload: {}, intervalMs: 0, now: clock.now() },
  })
  await deliver()
  const failing = (await found()).failing
  expect(failing?.failure).toBe('provider_credential_refused')
  clock.advance(600)
  await attest('trusted')
  await deliver()
  expect(await dead()).toMatchObject([{ failure: 'unmatched no Entra device id is on record' }])
  expect(graph.sent).toEqual([])
  expect(await found()).toMatchObject({ deliveredAt: null, failing: { since: failing?.since } })
  // Alone too: without a failure beside it nothing is taken for having arrived.
  graph.state.failure = undefined
  clock.advance(600)
  await deliver()
  const { deliveredAt } = await found()
  clock.advance(600)
  await attest('trusted')
  await deliver()
  expect(await found()).toMatchObject({ deliveredAt, failing: null })
  await end()
})

test('there is one stream for an attribute, and no client sees it', async () => {
  const { making, target, found, end } = await open()
  expect(await createStateStream(making, target, 'test')).toBeUndefined()
  expect((await found()).delivery).toEqual({ method: 'state', target })
  const headers = await service.as('ssf.manage', 'ssf.read')
  const answer = await service.request('/ssf/stream', { headers })
  expect(await answer.json()).toEqual([])
  await end()
})
