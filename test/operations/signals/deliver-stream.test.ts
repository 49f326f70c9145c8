import { generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type DeliverDependencies,
  deliverStream,
  PAUSED_AFTER_MS,
} from '../../../src/operations/signals/deliver-stream.ts'
import { DEVICE_EVENT_TYPES, EVENT_TYPES } from '../../../src/signals/event-types.ts'
import { PUSH } from '../../../src/signals/stream.ts'
import type { StoredStream } from '../../../src/store/signals/streams.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import type { Json } from '../../support/json.ts'
import {
  createTestService,
  type TestClock,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { pushTo } from './push-by-fetch.ts'
import { type Receiver, startReceiver } from './receiver.ts'

const URIS = DEVICE_EVENT_TYPES.map((type) => EVENT_TYPES[type])
const START = new Date('2026-03-01T13:00:00Z')
const ALWAYS = async () => true

let database: TestDatabase
let service: TestService
let clock: TestClock
let keys: { readonly privateKey: CryptoKey; readonly publicKey: CryptoKey }

beforeAll(async () => {
  database = await openTestDatabase()
  clock = testClock(START)
  service = await createTestService({ database, clock })
  keys = await generateKeyPair('RS256')
})
afterAll(() => database.close())

/** A stream to a receiver, and what delivers to it. */
async function open(events: readonly (typeof DEVICE_EVENT_TYPES)[number][] = DEVICE_EVENT_TYPES) {
  const { store, rules, log } = service.services
  const receiver = await startReceiver()
  const streamId = newId('str_')
  const clientId = newId('cli_')
  await store.createStream({
    ...{ streamId, clientId, audience: 'https://receiver.example', subjectForm: 'device' },
    delivery: { method: PUSH, url: receiver.url, sealedAuthorization: null },
    ...{ eventsRequested: URIS, eventsDelivered: events, description: null, most: 5 },
    ...{ by: 'test', now: clock.now() },
  })
  const dependencies: DeliverDependencies = {
    ...{ store, rules, log, issuer: service.url, clock: clock.now, chance: () => 0.5 },
    signEvent: (claims) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'RS256', typ: 'secevent+jwt', kid: 'k' })
        .sign(keys.privateKey),
    writeState: async () => expect.unreachable('no stream here is one of states'),
    postAlarm: async () => expect.unreachable('no alarm is told here'),
    push: ({ delivery }, token) => pushTo(delivery.method === PUSH ? delivery.url : '', token),
  }
  const found = async (): Promise<StoredStream> => {
    const stream = await store.findStream({ streamId, clientId })
    if (stream === null) throw new TypeError('the stream is gone')
    return stream
  }
  return {
    ...{ receiver, streamId, dependencies, found, store },
    deliver: async () => deliverStream(dependencies, await found(), ALWAYS),
    close: () => store.removeStream({ streamId, clientId, by: 'test', now: clock.now() }),
  }
}

async function change(verdicts: readonly ('trusted' | 'untrusted')[], deviceId = newDeviceId()) {
  const seconds = (clock.now().getTime() - Date.parse('2026-03-01T12:00:00Z')) / 1000
  for (const [index, verdict] of verdicts.entries()) {
    const reasons =
      verdict === 'trusted' ? [] : [{ code: 'clause_failed', clause: 'secure_boot_on' }]
    const attestation = attestationOf({ deviceId, verdict, reasons, at: seconds + index })
    await service.services.store.recordAttestation(attestation)
  }
  clock.advance(verdicts.length)
  return deviceId
}

const complianceOf = ({ taken }: Receiver) =>
  taken.flatMap((claims) => {
    const event = claims.events[EVENT_TYPES['device-compliance-change']]
    return event === undefined ? [] : [`${claims.sub_id.sub} ${event.current_status}`]
  })

describe('a stream', () => {
  test('gets each change of a device once, in its order, as tokens of its own', async () => {
    const { receiver, deliver, close, streamId } = await open()
    const deviceId = await change(['trusted', 'untrusted', 'trusted'])
    await deliver()
    expect(complianceOf(receiver)).toEqual([
      ...[`${deviceId} compliant`, `${deviceId} not-compliant`, `${deviceId} compliant`],
    ])
    const [{ headers, body }] = receiver.seen as [Receiver['seen'][number]]
    expect(headers['content-type']).toBe('application/secevent+jwt')
    const { payload, protectedHeader } = await jwtVerify(body, keys.publicKey, {
      ...{ issuer: service.url, audience: 'https://receiver.example', typ: 'secevent+jwt' },
      currentDate: clock.now(),
    })
    expect(protectedHeader.alg).toBe('RS256')
    expect(payload.sub_id).toEqual({ format: 'iss_sub', iss: service.url, sub: deviceId })
    expect(new Set(receiver.taken.map(({ jti }) => jti)).size).toBe(receiver.taken.length)
    expect(await deliver()).toBe(0)
    expect(await service.services.store.nextDeliveryAt(streamId)).toBeNull()
    await close()
  })

  test('gets the events that it asked for alone', async () => {
    const { receiver, deliver, close } = await open(['session-revoked'])
    const deviceId = await change(['trusted', 'untrusted'])
    const now = clock.now()
    await service.services.store.quarantineDevice({ deviceId, by: 'a', reason: 'r', now })
    await deliver()
    const types = receiver.taken.map(({ events }) => Object.keys(events))
    expect(types).toEqual([[EVENT_TYPES['session-revoked']]])
    await close()
  })

  test('is told why in words, never empty (CAEP interop §3)', async () => {
    const { receiver, deliver, close } = await open()
    await change(['trusted', 'untrusted'])
    await deliver()
    for (const { events } of receiver.taken) {
      const [event] = Object.values<Json>(events)
      expect(event.reason_admin.en).not.toBe('')
      expect(event.reason_user.en).not.toBe('')
    }
    const fallen = receiver.taken.at(-1)?.events
    expect(JSON.stringify(fallen)).toContain('untrusted: clause_failed secure_boot_on')
    await close()
  })
})

describe('a receiver that', () => {
  test('refuses one token holds up nothing, and gets it again when somebody asks', async () => {
    const { receiver, deliver, close, store, streamId } = await open(['device-compliance-change'])
    receiver.answer = (response) => response.writeHead(400).end('{"err":"invalid_request"}')
    await change(['trusted'])
    await deliver()
    receiver.answer = undefined
    await change(['trusted'])
    await deliver()
    expect(receiver.taken).toHaveLength(1)
    const dead = await store.refusedDeliveries({ streamId, limit: 10 })
    expect(dead).toMatchObject([{ failure: 'invalid_request' }])
    await store.replayRefused({ streamId, deliveries: dead, by: 'a', now: clock.now() })
    await deliver()
    expect(receiver.taken).toHaveLength(2)
    await close()
  })

  test.each([
    ['answers 500', (response) => response.writeHead(500).end()],
    ['lets us not in', (response) => response.writeHead(401).end()],
    [
      'sends us elsewhere',
      (response) => response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end(),
    ],
    ['hangs up', (response) => response.destroy()],
    ['does not know our key', (response) => response.writeHead(400).end('{"err":"invalid_key"}')],
  ] satisfies [string, Receiver['answer']][])(
    '%s for an hour gets everything afterwards, in order',
    async (_, answer) => {
      const { receiver, deliver, close, found } = await open(['device-compliance-change'])
      receiver.answer = answer
      const deviceId = await change(['trusted', 'untrusted'])
      for (let minute = 0; minute < 60; minute++) {
        await deliver()
        clock.advance(60)
      }
      // With a pause that grows, and not once a minute.
      expect(receiver.seen.length).toBeLessThan(40)
      expect((await found()).failing).not.toBeNull()
      receiver.answer = undefined
      await change(['trusted'], deviceId)
      clock.advance(600)
      await deliver()
      clock.advance(600)
      await deliver()
      expect(complianceOf(receiver)).toEqual([
        ...[`${deviceId} compliant`, `${deviceId} not-compliant`, `${deviceId} compliant`],
      ])
      expect((await found()).failing).toBeNull()
      await close()
    },
  )

  test('asks for a pause gets one', async () => {
    const { receiver, deliver, close } = await open(['device-compliance-change'])
    receiver.answer = (response) => response.writeHead(503, { 'retry-after': '120' }).end()
    await change(['trusted'])
    await deliver()
    receiver.answer = undefined
    clock.advance(119)
    await deliver()
    expect(receiver.taken).toEqual([])
    clock.advance(2)
    await deliver()
    expect(receiver.taken).toHaveLength(1)
    await close()
  })

  test('fails on one token goes on getting those of other devices', async () => {
    const { receiver, deliver, close } = await open(['device-compliance-change'])
    const poison = await change(['trusted'])
    const others = [await change(['trusted']), await change(['trusted'])]
    receiver.answer = (response, claims) => {
      if (claims.sub_id.sub === poison) return void response.writeHead(500).end()
      receiver.taken.push(claims)
      response.writeHead(202).end()
    }
    await deliver()
    expect(receiver.taken.map(({ sub_id }) => sub_id.sub).sort()).toEqual(others.sort())
    await close()
  })

  test('is gone for a day is paused, loses nothing, and is told so when it is back', async () => {
    const { receiver, deliver, close, found, store, streamId } = await open([
      'device-compliance-change',
    ])
    receiver.answer = (response) => response.destroy()
    const deviceId = await change(['trusted'])
    for (let hour = 0; hour <= PAUSED_AFTER_MS / 3_600_000; hour++) {
      await deliver()
      clock.advance(3600)
    }
    await deliver()
    const paused = await found()
    expect(paused).toMatchObject({ status: 'paused', failing: null })
    expect(paused.reason).toMatch(/^nothing arrived since /)
    receiver.answer = undefined
    const status = { streamId, clientId: null, status: 'enabled', reason: null } as const
    await store.setStreamStatus({ ...status, by: 'a', now: clock.now() })
    clock.advance(600)
    await deliver()
    const types = receiver.taken.map(({ events }) => Object.keys(events)[0])
    expect(types).toContain(EVENT_TYPES['stream-updated'])
    expect(complianceOf(receiver)).toEqual([`${deviceId} compliant`])
    await close()
  })
})

describe('two processes that deliver to one stream at once', () => {
  test('and are cut off anywhere bring every event, none before the one before it', async () => {
    const { receiver, dependencies, close, found, streamId } = await open([
      'device-compliance-change',
    ])
    const ids = await Promise.all(Array.from({ length: 6 }, () => newDeviceId()))
    for (const id of ids) await change(['trusted', 'untrusted', 'trusted', 'untrusted'], id)
    let turn = 0
    const unsteady: DeliverDependencies = {
      ...dependencies,
      store: {
        ...dependencies.store,
        // What arrived and was not noted is what a process leaves that is killed.
        async settleDeliveries(input) {
          turn += 1
          if (turn % 3 === 0) throw new Error('killed')
          return dependencies.store.settleDeliveries(input)
        },
      },
    }
    for (let round = 0; round < 40; round++) {
      const stream = await found()
      const two = [1, 2].map(() => deliverStream(unsteady, stream, ALWAYS).catch(() => 0))
      await Promise.all(two)
    }
    for (const id of ids) {
      const arrived = receiver.taken.filter(({ sub_id }) => sub_id.sub === id)
      const firsts = [...new Set(arrived.map(({ jti }) => jti))]
      expect(firsts).toHaveLength(4)
      const positions = firsts.map((jti) => Number(String(jti).split('.')[2]))
      expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    }
    expect(await service.services.store.nextDeliveryAt(streamId)).toBeNull()
    await close()
  })
})
