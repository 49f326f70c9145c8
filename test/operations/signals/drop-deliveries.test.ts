import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropDeliveries } from '../../../src/operations/signals/drop-deliveries.ts'
import { POLL } from '../../../src/signals/stream.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const now = new Date('2026-03-01T13:00:00Z')
const by = { by: 'test', now }
let database: TestDatabase

beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

async function make() {
  const name = { streamId: newId('str_'), clientId: newId('cli_') }
  await database.store.createStream({
    ...{ ...name, audience: 'a', delivery: { method: POLL }, subjectForm: 'device', most: 5 },
    ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
    ...by,
  })
  return name
}

test('what waits for a stream that was ended or disabled goes, in rounds, and nothing else', async () => {
  const { store } = database
  const [ended, disabled, paused, open] = [await make(), await make(), await make(), await make()]
  for (let device = 0; device < 3; device++) {
    await store.recordAttestation(attestationOf({ deviceId: newDeviceId() }))
  }
  const [refused] = await store.dueDeliveries({ ...open, now, limit: 1 })
  if (refused === undefined) throw new TypeError('nothing waits')
  const refusal = { outcome: 'refused', delivered: [], failure: 'no' } as const
  await store.settleDeliveries({ outcomes: [{ ...refused, ...refusal }], now })
  await store.removeStream({ ...ended, ...by })
  await store.setStreamStatus({ ...disabled, status: 'disabled', reason: null, ...by })
  await store.setStreamStatus({ ...paused, status: 'paused', reason: null, ...by })
  const dropped: number[] = []
  for (;;) {
    dropped.push(await dropDeliveries({ store, clock: () => now }, 2))
    if (dropped.at(-1) === 0) break
  }
  expect(dropped).toEqual([2, 1, 2, 1, 0])
  const counts = async ({ streamId }: { streamId: string }) => store.countDeliveries(streamId)
  expect(await counts(ended)).toEqual({ waiting: 0, refused: 0 })
  expect(await counts(disabled)).toEqual({ waiting: 0, refused: 0 })
  expect(await counts(paused)).toEqual({ waiting: 3, refused: 0 })
  expect(await counts(open)).toEqual({ waiting: 2, refused: 1 })
})
