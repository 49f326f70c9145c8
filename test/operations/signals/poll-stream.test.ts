import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createPollPlaces,
  WAITING_POLLS_OF_CLIENT,
} from '../../../src/operations/signals/poll-places.ts'
import { type PollDependencies, pollStream } from '../../../src/operations/signals/poll-stream.ts'
import { EVENT_TYPES } from '../../../src/signals/event-types.ts'
import type { PollRequest } from '../../../src/signals/poll-request.ts'
import { POLL } from '../../../src/signals/stream.ts'
import type { StreamToCreate } from '../../../src/store/signals/streams.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createTestService,
  type TestClock,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
let service: TestService
let clock: TestClock

beforeAll(async () => {
  database = await openTestDatabase()
  clock = testClock(new Date('2026-03-01T13:00:00Z'))
  service = await createTestService({ database, clock })
})
afterAll(() => database.close())

async function open(events: StreamToCreate['eventsDelivered'] = ['device-compliance-change']) {
  const { store, rules } = service.services
  const name = { streamId: newId('str_'), clientId: newId('cli_') }
  await store.createStream({
    ...{ ...name, audience: 'a', delivery: { method: POLL }, subjectForm: 'device', most: 5 },
    ...{
      eventsRequested: [],
      eventsDelivered: events,
      description: null,
      by: 't',
      now: clock.now(),
    },
  })
  const dependencies: PollDependencies = {
    ...{ store, rules, issuer: service.url, clock: clock.now, places: createPollPlaces() },
    // What signs is another's to test: the claims as they are.
    signEvent: async (claims) => `.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`,
    async waitForEvents() {
      clock.advance(5)
    },
  }
  const poll = async (request: Partial<PollRequest> = {}) => {
    const whole = { maxEvents: 100, returnImmediately: true, acknowledged: [], refused: [] }
    const signal = new AbortController().signal
    return pollStream(dependencies, name, { request: { ...whole, ...request }, signal })
  }
  return {
    ...{ ...name, poll, store, dependencies },
    close: () => store.removeStream({ ...name, by: 't', now: clock.now() }),
  }
}

async function change(...verdicts: readonly ('trusted' | 'untrusted')[]) {
  const deviceId = newDeviceId()
  for (const verdict of verdicts) {
    const at = (clock.now().getTime() - Date.parse('2026-03-01T12:00:00Z')) / 1000
    await service.services.store.recordAttestation(attestationOf({ deviceId, verdict, at }))
    clock.advance(1)
  }
  return deviceId
}

const statusOf = (token: string) => {
  const claims: Json = decodeJwt(token)
  return claims.events[EVENT_TYPES['device-compliance-change']].current_status
}

describe('a poll (RFC 8936)', () => {
  test('hands out the first of each device until it is acknowledged, then the next', async () => {
    const { poll, close } = await open()
    await change('trusted', 'untrusted', 'trusted')
    await change('trusted')
    const seen: string[] = []
    let acknowledged: string[] = []
    for (let turn = 0; turn < 4; turn++) {
      const again = expectOk(await poll({ acknowledged }))
      expect(expectOk(await poll())).toEqual(again)
      acknowledged = Object.keys(again.sets)
      seen.push(Object.values(again.sets).map(statusOf).sort().join())
    }
    expect(seen).toEqual(['compliant,compliant', 'not-compliant', 'compliant', ''])
    await close()
  })

  test('hands out no more than it is asked for, and says that there is more', async () => {
    const { poll, close } = await open()
    for (let device = 0; device < 3; device++) await change('trusted')
    const { sets, moreAvailable } = expectOk(await poll({ maxEvents: 2 }))
    expect({ count: Object.keys(sets).length, moreAvailable }).toEqual({
      count: 2,
      moreAvailable: true,
    })
    const last = expectOk(await poll({ maxEvents: 2, acknowledged: Object.keys(sets) }))
    expect({ count: Object.keys(last.sets).length, more: last.moreAvailable }).toEqual({
      ...{ count: 1, more: false },
    })
    const none = expectOk(await poll({ maxEvents: 0 }))
    expect(none.sets).toEqual({})
    await close()
  })

  test('of several events of one change hands out one after the other', async () => {
    const { poll, close } = await open(['device-compliance-change', 'risk-level-change'])
    await change('trusted')
    const first = expectOk(await poll())
    const second = expectOk(await poll({ acknowledged: Object.keys(first.sets) }))
    const types = [first, second].flatMap(({ sets }) =>
      Object.values(sets).flatMap((token) => Object.keys(Object(decodeJwt(token).events))),
    )
    expect(types).toEqual([
      ...[EVENT_TYPES['device-compliance-change'], EVENT_TYPES['risk-level-change']],
    ])
    expect(expectOk(await poll({ acknowledged: Object.keys(second.sets) })).sets).toEqual({})
    await close()
  })

  test('of a stream that wants none of the events of a change is not held up by it', async () => {
    const { poll, close, store, streamId } = await open(['session-revoked'])
    await change('trusted', 'untrusted')
    expect(expectOk(await poll()).sets).toEqual({})
    expect(await store.nextDeliveryAt(streamId)).toBeNull()
    await close()
  })

  test('puts aside what the receiver will not take, and goes on', async () => {
    const { poll, close, store, streamId } = await open()
    await change('trusted', 'untrusted')
    const [tokenId = ''] = Object.keys(expectOk(await poll()).sets)
    const refused = [{ tokenId, error: 'invalid_request', description: 'no' }]
    const next = expectOk(await poll({ refused }))
    expect(Object.values(next.sets).map(statusOf)).toEqual(['not-compliant'])
    expect(await store.refusedDeliveries({ streamId, limit: 9 })).toMatchObject([
      { failure: 'invalid_request no' },
    ])
    await close()
  })

  test('waits for an event, and not for ever', async () => {
    const { poll, close, dependencies } = await open()
    const begun = clock.now().getTime()
    expect(expectOk(await poll({ returnImmediately: false })).sets).toEqual({})
    expect(clock.now().getTime() - begun).toBe(25_000)
    Object.assign(dependencies, { waitForEvents: () => change('trusted') })
    const { sets } = expectOk(await poll({ returnImmediately: false }))
    expect(Object.values(sets).map(statusOf)).toEqual(['compliant'])
    await close()
  })

  test('is one of so many that wait; one more of the client holds no connection, and one of another does', async () => {
    const { poll, close, dependencies } = await open()
    const waiting: (() => void)[] = []
    const waitForEvents = () => new Promise<void>((resolve) => waiting.push(resolve))
    Object.assign(dependencies, { waitForEvents })
    const polls = Array.from({ length: WAITING_POLLS_OF_CLIENT }, () =>
      poll({ returnImmediately: false }),
    )
    await expect.poll(() => waiting).toHaveLength(WAITING_POLLS_OF_CLIENT)
    expect(expectOk(await poll({ returnImmediately: false })).sets).toEqual({})
    expect(waiting).toHaveLength(WAITING_POLLS_OF_CLIENT)
    expect(dependencies.places.take('cli_other')).toBeDefined()
    clock.advance(25)
    for (const ring of waiting.splice(0)) ring()
    await Promise.all(polls)
    const next = poll({ returnImmediately: false })
    await expect.poll(() => waiting).toHaveLength(1)
    clock.advance(25)
    for (const ring of waiting.splice(0)) ring()
    expectOk(await next)
    await close()
  })

  test('that waits is handed out nothing more once its client was disabled', async () => {
    const { poll, close, dependencies, store, streamId, clientId } = await open()
    const client = { clientId, name: 'receiver', secretHash: 'a'.repeat(64) }
    const by = { by: 't', now: clock.now() }
    await store.createClient({ ...client, scopes: ['ssf.read'], ...by })
    let looks = 0
    const waitForEvents = async () => {
      looks += 1
      if (looks === 1) {
        await change('trusted')
        await store.disableClient({ clientId, ...by })
      }
      clock.advance(5)
    }
    Object.assign(dependencies, { waitForEvents })
    expect(expectOk(await poll({ returnImmediately: false })).sets).toEqual({})
    expect(await store.nextDeliveryAt(streamId)).not.toBeNull()
    await close()
    expectRefusal(await poll({ returnImmediately: false }), 'stream_unknown')
  })

  test('that waits for a stream that is ended is told so', async () => {
    const { poll, close, dependencies } = await open()
    Object.assign(dependencies, { waitForEvents: close })
    expectRefusal(await poll({ returnImmediately: false }), 'stream_unknown')
  })

  test('of another client finds nothing, and acknowledges nothing of another stream', async () => {
    const own = await open()
    const other = await open()
    await change('trusted')
    const acknowledged = Object.keys(expectOk(await own.poll()).sets)
    expectOk(await other.poll({ acknowledged: [...acknowledged, 'nothing', ''] }))
    expect(Object.keys(expectOk(await own.poll()).sets)).toEqual(acknowledged)
    const request = { maxEvents: 1, returnImmediately: true, acknowledged: [], refused: [] }
    const foreign = await pollStream(
      own.dependencies,
      { streamId: own.streamId, clientId: other.clientId },
      { request, signal: new AbortController().signal },
    )
    expectRefusal(foreign, 'stream_unknown')
    await own.close()
    await other.close()
  })
})
