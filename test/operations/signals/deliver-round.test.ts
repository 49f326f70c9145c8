import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createDeliverer,
  type DeliverRoundDependencies,
} from '../../../src/operations/signals/deliver-round.ts'
import type { PushOutcome } from '../../../src/signals/push-answer.ts'
import { PUSH } from '../../../src/signals/stream.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

let database: TestDatabase
let service: TestService
const clock = testClock(new Date('2026-03-01T13:00:00Z'))

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, clock })
})
afterAll(() => database.close())

async function createStream(): Promise<string> {
  const streamId = newId('str_')
  await service.services.store.createStream({
    ...{ streamId, clientId: newId('cli_'), audience: 'a', subjectForm: 'device' },
    delivery: { method: PUSH, url: 'https://receiver.example/', sealedAuthorization: null },
    ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
    ...{ most: 5, by: 'test', now: clock.now() },
  })
  return streamId
}

async function change(): Promise<void> {
  const at = (clock.now().getTime() - Date.parse('2026-03-01T12:00:00Z')) / 1000
  const attestation = attestationOf({ deviceId: newDeviceId(), verdict: 'trusted', at })
  await service.services.store.recordAttestation(attestation)
  clock.advance(1)
}

test('a receiver that takes its time keeps nobody else from what comes later', async () => {
  const { store, rules, log } = service.services
  const slow = await createStream()
  const quick = await createStream()
  const held: ((outcome: PushOutcome) => void)[] = []
  let arrived = 0
  const dependencies: DeliverRoundDependencies = {
    ...{ store, rules, log, issuer: service.url, clock: clock.now, chance: () => 0.5 },
    processId: 'one',
    signEvent: async () => 'token',
    writeState: async () => expect.unreachable('no stream here is one of states'),
    postAlarm: async () => expect.unreachable('no alarm is told here'),
    push: ({ streamId }) => {
      if (streamId === slow) return new Promise((resolve) => held.push(resolve))
      arrived += 1
      return Promise.resolve({ kind: 'delivered' })
    },
  }
  const deliverer = createDeliverer(dependencies)
  const { signal } = new AbortController()
  for (let round = 1; round <= 3; round++) {
    await change()
    // A run that is just ending may not have seen the change: the next round does.
    await expect
      .poll(async () => {
        expect(await deliverer.begin(signal)).toBe(2)
        return arrived
      })
      .toBe(round)
  }
  // One at a time delivers to a stream: nothing of it is sent twice.
  expect(held).toHaveLength(1)
  let isOver = false
  const settled = deliverer.settled().then(() => {
    isOver = true
  })
  expect(isOver).toBe(false)
  const release = async () => {
    for (const resolve of held.splice(0)) resolve({ kind: 'delivered' })
    return isOver
  }
  await expect.poll(release).toBe(true)
  await settled
  expect(await store.nextDeliveryAt(slow)).toBeNull()
  expect(await store.nextDeliveryAt(quick)).toBeNull()
})
