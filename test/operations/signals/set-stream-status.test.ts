import { afterAll, beforeAll, expect, test } from 'vitest'
import { setStreamStatus } from '../../../src/operations/signals/set-stream-status.ts'
import { POLL } from '../../../src/signals/stream.ts'
import { newId } from '../../store/fixtures.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const now = new Date('2026-03-01T13:00:00Z')
const by = { by: 'ops', now }
let database: TestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

test('a receiver is told once of what an administrator did to its stream (SSF 1.0 §8.1.5)', async () => {
  const { store } = database
  const streamId = newId('str_')
  await store.createStream({
    ...{ streamId, clientId: newId('cli_'), audience: 'a', delivery: { method: POLL } },
    ...{ eventsRequested: [], eventsDelivered: [], description: null, subjectForm: 'device' },
    ...{ most: 5, ...by },
  })
  const change = { streamId, status: 'paused', reason: 'repairs', ...by } as const
  expect(expectOk(await setStreamStatus(store, change))).toBe(true)
  expect(expectOk(await setStreamStatus(store, change))).toBe(false)
  expect(await store.countDeliveries(streamId)).toEqual({ waiting: 1, refused: 0 })
})

test('a stream that there is not is refused', async () => {
  const change = { streamId: 'str_none', status: 'paused', reason: 'repairs', ...by } as const
  expectRefusal(await setStreamStatus(database.store, change), 'stream_to_set_not_found')
})
