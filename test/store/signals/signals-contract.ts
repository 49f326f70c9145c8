import { afterEach, describe, expect, test } from 'vitest'
import { POLL, PUSH } from '../../../src/signals/stream.ts'
import type { DeliveryOutcome } from '../../../src/store/signals/delivery-outcomes.ts'
import type { DueDelivery } from '../../../src/store/signals/due-deliveries.ts'
import type { StreamEvent, StreamToCreate } from '../../../src/store/signals/streams.ts'
import { at, attestationOf, newDeviceId, newId, type StoreUnderTest } from '../fixtures.ts'

const FAR = at(1_000_000)

export function signalsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const by = { by: 'receiver', now: at(0) }

  const streamOf = (changes: Partial<StreamToCreate> = {}): StreamToCreate => ({
    ...{ streamId: newId('str_'), clientId: newId('cli_'), audience: 'https://receiver.example' },
    delivery: {
      method: PUSH,
      url: 'https://receiver.example/events',
      sealedAuthorization: 'sealed',
    },
    eventsRequested: ['urn:other', 'urn:x'],
    eventsDelivered: ['device-compliance-change'],
    ...{ description: 'about', subjectForm: 'device', most: 3, ...by },
    ...changes,
  })
  const made: StreamToCreate[] = []
  const create = async (changes: Partial<StreamToCreate> = {}) => {
    const stream = streamOf(changes)
    made.push(stream)
    expect(await store().createStream(stream)).toBe('applied')
    return stream
  }
  // Else the changes of all tests that follow would wait for them.
  afterEach(async () => {
    for (const { streamId } of made.splice(0)) {
      await store().removeStream({ streamId, clientId: null, ...by })
    }
  })
  /** Attests as many times as there are verdicts, so that each but the first is a change. */
  const change = async (
    verdicts: readonly ('trusted' | 'untrusted')[],
    deviceId = newDeviceId(),
  ) => {
    for (const [index, verdict] of verdicts.entries()) {
      await store().recordAttestation(attestationOf({ deviceId, verdict, at: index }))
    }
    return deviceId
  }
  const due = ({ streamId }: { streamId: string }, now = FAR, limit = 100) =>
    store().dueDeliveries({ streamId, now, limit })
  const nameOf = ({ deviceId, streamId, position }: DueDelivery) => ({
    deviceId,
    streamId,
    position,
  })
  const settle = (...outcomes: readonly DeliveryOutcome[]) =>
    store().settleDeliveries({ outcomes, now: at(100) })
  const waitsInOutbox = async (deviceId: string) =>
    (await subject().query(`select from outbox where device_id = '${deviceId}'`)).length

  describe('streams', () => {
    test('are read as they were made, by their own client alone', async () => {
      const stream = await create()
      const { streamId, clientId } = stream
      const found = await store().findStream({ streamId, clientId })
      const { most: _, by: __, now, ...settings } = stream
      expect(found).toMatchObject({ ...settings, status: 'enabled', revision: 1, createdAt: now })
      expect(await store().findStream({ streamId, clientId: 'cli_other' })).toBeNull()
      expect(await store().streamsOf('cli_other')).toEqual([])
      expect((await store().streamsOf(clientId)).map((one) => one.streamId)).toEqual([streamId])
    })

    test('are at most so many of one client', async () => {
      const { clientId } = await create({ most: 1 })
      expect(await store().createStream(streamOf({ clientId, most: 1 }))).toBe('too_many_streams')
    })

    test('are changed from the revision that was seen, by their own client alone', async () => {
      const stream = await create()
      const { streamId, clientId } = stream
      const settings = { ...stream, delivery: { method: POLL } as const, description: null }
      const changed = { ...settings, revision: 1 }
      expect(await store().changeStream({ ...changed, clientId: 'cli_other' })).toBe(
        'stream_unknown',
      )
      expect(await store().changeStream(changed)).toBe('applied')
      expect(await store().changeStream(changed)).toBe('superseded')
      const found = await store().findStream({ streamId, clientId })
      expect(found).toMatchObject({ delivery: { method: POLL }, description: null, revision: 2 })
    })

    test('change their status once, and end once', async () => {
      const { streamId, clientId } = await create()
      const pause = { streamId, clientId, status: 'paused', reason: 'later', ...by } as const
      expect(await store().setStreamStatus({ ...pause, clientId: 'cli_other' })).toBe(
        'stream_unknown',
      )
      expect(await store().setStreamStatus(pause)).toBe('applied')
      expect(await store().setStreamStatus(pause)).toBe('unchanged')
      expect(await store().removeStream({ streamId, clientId, ...by })).toBe('applied')
      expect(await store().removeStream({ streamId, clientId, ...by })).toBe('stream_unknown')
    })

    test('end with their client, which makes and enables none any more', async () => {
      const clientId = newId('cli_')
      const client = { clientId, name: 'receiver', secretHash: 'a'.repeat(64) }
      await store().createClient({ ...client, scopes: ['ssf.manage'], ...by })
      const { streamId } = await create({ clientId })
      const other = await create()
      expect(await store().disableClient({ clientId, ...by })).toBe('applied')
      expect(await store().findStream({ streamId, clientId })).toMatchObject({
        ...{ status: 'disabled', reason: 'its client was disabled', revision: 2 },
      })
      expect(await store().findStream(other)).toMatchObject({ status: 'enabled' })
      await change(['trusted', 'untrusted'])
      expect(await due({ streamId })).toEqual([])
      const enable = { streamId, clientId, status: 'enabled', reason: null, ...by } as const
      expect(await store().setStreamStatus(enable)).toBe('stream_unknown')
      expect(await store().createStream(streamOf({ clientId }))).toBe('too_many_streams')
      expect(await store().disableClient({ clientId, ...by })).toBe('unchanged')
    })

    test('of a client that was disabled before end when that is said again', async () => {
      const clientId = newId('cli_')
      const client = { clientId, name: 'receiver', secretHash: 'a'.repeat(64) }
      await store().createClient({ ...client, scopes: ['ssf.manage'], ...by })
      await store().disableClient({ clientId, ...by })
      const { streamId } = await create()
      await subject().query(
        `update stream set client_id = '${clientId}' where stream_id = '${streamId}'`,
      )
      expect(await store().disableClient({ clientId, ...by })).toBe('applied')
      expect(await store().findStream({ streamId, clientId })).toMatchObject({ status: 'disabled' })
    })

    test('are told of themselves, and asked for a verification once in a while', async () => {
      const { streamId, clientId } = await create({ eventsDelivered: [] })
      const event: StreamEvent = {
        ...{ streamId, clientId, payload: { state: 's' }, intervalMs: 5000, now: at(0) },
        type: 'verification',
      }
      expect(await store().announceToStream(event)).toBe('applied')
      expect(await store().announceToStream({ ...event, now: at(4) })).toBe('too_soon')
      expect(await store().announceToStream({ ...event, now: at(5) })).toBe('applied')
      expect(await store().announceToStream({ ...event, clientId: 'x' })).toBe('stream_unknown')
      const [first] = await due({ streamId })
      expect(first).toMatchObject({
        deviceId: streamId,
        type: 'verification',
        payload: { state: 's' },
      })
    })
  })

  describe('deliveries', () => {
    test('leave with the change that they are of, to each stream that keeps events', async () => {
      const enabled = await create()
      const paused = await create()
      const disabled = await create()
      const mute = await create({ eventsDelivered: [] })
      for (const [stream, status] of [
        [paused, 'paused'],
        [disabled, 'disabled'],
      ] as const) {
        const { streamId, clientId } = stream
        await store().setStreamStatus({ streamId, clientId, status, reason: null, ...by })
      }
      const deviceId = await change(['trusted', 'untrusted'])
      for (const stream of [enabled, paused]) {
        const [waiting] = (await due(stream)).filter((one) => one.deviceId === deviceId)
        expect(waiting).toMatchObject({ attempts: 0, delivered: [], owner: null })
      }
      for (const stream of [disabled, mute]) expect(await due(stream)).toEqual([])
    })

    test('of one device come one after the other, those of others beside them', async () => {
      const stream = await create()
      const first = await change(['trusted', 'untrusted', 'trusted'])
      const second = await change(['trusted', 'untrusted'])
      const seen: string[] = []
      for (let turn = 0; turn < 10; turn++) {
        const heads = await due(stream)
        expect(new Set(heads.map(({ deviceId }) => deviceId)).size).toBe(heads.length)
        if (heads.length === 0) break
        for (const head of heads) {
          const payload = Object(head.payload)
          seen.push(`${head.deviceId === first ? 1 : 2} ${payload.currentVerdict}`)
        }
        await settle(...heads.map((head) => ({ ...nameOf(head), outcome: 'delivered' }) as const))
      }
      const ofFirst = seen.filter((one) => one.startsWith('1'))
      expect(ofFirst.at(-1)).toBe('1 trusted')
      expect(ofFirst.at(-2)).toBe('1 untrusted')
      expect(seen).toContain('2 untrusted')
      expect(await waitsInOutbox(second)).toBe(0)
    })

    test('that come to nothing are tried again when they are due, with what follows behind them', async () => {
      const stream = await create()
      await change(['trusted', 'untrusted', 'trusted'])
      const [head] = await due(stream)
      if (head === undefined) throw new TypeError('nothing waits')
      const later: DeliveryOutcome = {
        ...{ ...nameOf(head), delivered: ['risk-level-change'] },
        ...{ failure: '503', nextAttemptAt: at(500) },
        outcome: 'later',
      }
      expect(await settle(later)).toBe(1)
      expect(await due(stream, at(499))).toEqual([])
      const [again] = await due(stream, at(500))
      expect(again).toMatchObject({
        ...nameOf(head),
        attempts: 1,
        delivered: ['risk-level-change'],
      })
      expect(await store().nextDeliveryAt(stream.streamId)).toBeInstanceOf(Date)
    })

    test('that are refused hold up nothing, stay, and are sent again when somebody asks', async () => {
      const stream = await create()
      const { streamId } = stream
      const deviceId = await change(['trusted', 'untrusted'])
      const [head] = await due(stream)
      if (head === undefined) throw new TypeError('nothing waits')
      const refusal = { outcome: 'refused', delivered: [], failure: 'invalid_request' } as const
      await settle({ ...nameOf(head), ...refusal })
      const [refused] = await store().refusedDeliveries({ streamId, limit: 10 })
      expect(refused).toMatchObject({ ...nameOf(head), failure: 'invalid_request' })
      expect(await waitsInOutbox(deviceId)).toBeGreaterThan(0)
      const behind = await change(['trusted'])
      const later = (await due(stream)).find((one) => one.deviceId === behind)
      if (later === undefined) throw new TypeError('nothing waits')
      await settle({ ...nameOf(later), ...refusal })
      // By its position alone, however many were refused before it.
      const named = { streamId, limit: 1, positions: [later.position] }
      expect(await store().refusedDeliveries(named)).toMatchObject([nameOf(later)])
      await change(['trusted'], deviceId)
      const replay = { streamId, deliveries: [head, head], by: 'admin', now: at(200) }
      expect(await store().replayRefused(replay)).toBe(1)
      expect((await due(stream)).map(nameOf)).toContainEqual(nameOf(head))
    })

    test('end the waiting of their event with the last of its streams, of whatever many at once', async () => {
      const streams = await Promise.all(Array.from({ length: 4 }, () => create()))
      const deviceId = await change(['trusted'])
      const heads = (await Promise.all(streams.map((stream) => due(stream)))).flat()
      const counts = await Promise.all(
        heads
          .filter((head) => head.deviceId === deviceId)
          .map((head) => settle({ ...nameOf(head), outcome: 'delivered' })),
      )
      expect(counts).toEqual([1, 1, 1, 1])
      expect(await waitsInOutbox(deviceId)).toBe(0)
      const settled = await subject().query(
        `select outcome from settled_event where device_id = '${deviceId}'`,
      )
      expect(settled).toEqual([{ outcome: 'delivered' }])
    })

    test('are never among the events that nobody was there for', async () => {
      await create()
      const deviceId = await change(['trusted'])
      const waiting = await store().waitingEvents({ createdBefore: FAR, limit: 10_000 })
      expect(waiting.map((event) => event.deviceId)).not.toContain(deviceId)
    })

    test('of subjects that a receiver left out say so, by device, by owner, and by both', async () => {
      const stream = await create()
      const { streamId, clientId } = stream
      const mine = await change(['trusted'])
      const yours = await change(['trusted'])
      const changes = { owner: 'a@example.com' }
      await store().setDeviceAttributes({ deviceId: mine, changes, ...by })
      const isLeftOut = async () =>
        Object.fromEntries(
          (await due(stream)).map((one) => [
            one.deviceId === mine ? 'mine' : 'yours',
            one.isExcluded,
          ]),
        )
      expect(await isLeftOut()).toEqual({ mine: false, yours: false })
      const leaveOut = async (deviceId: string | null, owner: string | null, excluded = true) =>
        store().excludeSubject({ streamId, clientId, deviceId, owner, excluded, most: 2, ...by })
      expect(await leaveOut(yours, null)).toBe('applied')
      expect(await leaveOut(yours, null)).toBe('unchanged')
      expect(await isLeftOut()).toEqual({ mine: false, yours: true })
      expect(await leaveOut(yours, null, false)).toBe('applied')
      expect(await leaveOut(null, 'a@example.com')).toBe('applied')
      expect(await isLeftOut()).toEqual({ mine: true, yours: false })
      expect(await leaveOut(yours, 'a@example.com')).toBe('applied')
      expect(await isLeftOut()).toEqual({ mine: true, yours: false })
      expect(await leaveOut(mine, null)).toBe('too_many_subjects')
      const other = { streamId, clientId: 'cli_x', deviceId: mine, owner: null, most: 2 }
      expect(await store().excludeSubject({ ...other, excluded: true, ...by })).toBe(
        'stream_unknown',
      )
    })

    test('are counted and found by stream, and dropped once nobody is to have them', async () => {
      const stream = await create()
      const { streamId } = stream
      const deviceId = await change(['trusted', 'untrusted'])
      expect(await store().countDeliveries(streamId)).toEqual({ waiting: 2, refused: 0 })
      const [head] = await due(stream)
      if (head === undefined) throw new TypeError('nothing waits')
      await settle({ ...nameOf(head), outcome: 'refused', delivered: [], failure: 'no' })
      expect(await store().countDeliveries(streamId)).toEqual({ waiting: 1, refused: 1 })
      const before = streamId.slice(0, -1)
      expect(await store().nextStreamWithDeliveries(before)).toBe(streamId)
      expect(await store().nextStreamWithDeliveries(streamId)).not.toBe(streamId)
      const all = await store().deliveriesOf({ streamId, limit: 10 })
      expect(all).toHaveLength(2)
      expect(await store().deliveriesOf({ streamId, limit: 1 })).toHaveLength(1)
      const drop = all.map((name) => ({ ...name, outcome: 'dropped' }) as const)
      expect(await settle(...drop)).toBe(2)
      expect(await settle(...drop)).toBe(0)
      expect(await waitsInOutbox(deviceId)).toBe(0)
      const settled = await subject().query(
        `select distinct outcome from settled_event where device_id = '${deviceId}'`,
      )
      expect(settled).toEqual([{ outcome: 'expired' }])
    })

    test('tell how they go: since when none arrives, and until one does', async () => {
      const { streamId, clientId } = await create()
      const failing = { failure: '503', retryAt: at(60) }
      const since = await store().noteStreamHealth({ streamId, failing, now: at(10) })
      expect(since).toEqual(at(10))
      expect(await store().noteStreamHealth({ streamId, failing, now: at(20) })).toEqual(at(10))
      const found = await store().findStream({ streamId, clientId })
      expect(found?.failing).toEqual({ since: at(10), ...failing })
      await store().noteStreamHealth({ streamId, failing: null, now: at(30) })
      expect(await store().findStream({ streamId, clientId })).toMatchObject({
        ...{ failing: null, deliveredAt: at(30) },
      })
    })
  })
}
