import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createReceiver, oktaReceiver } from '../../../src/operations/signals/create-receiver.ts'
import {
  changeStream,
  changeSubject,
  createStream,
  MAX_STREAMS,
  readStream,
  readStreams,
  removeStream,
  type StreamDependencies,
  verifyStream,
} from '../../../src/operations/signals/manage-streams.ts'
import { testStream } from '../../../src/operations/signals/test-stream.ts'
import { newId } from '../../store/fixtures.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const now = new Date('2026-03-01T13:00:00Z')
let database: TestDatabase

beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

function dependencies(changes: Partial<StreamDependencies['store']> = {}): StreamDependencies {
  return {
    store: { ...database.store, ...changes },
    sealAuthorization: (header) => header,
    makeEventKey: async () => {},
    issuer: 'https://countersign.example',
    pollUrlOf: (streamId) => `https://countersign.example/ssf/poll/${streamId}`,
    newStreamId: () => newId('str_'),
    clock: () => now,
  }
}

async function make(clientId: string): Promise<string> {
  return expectOk(await createStream(dependencies(), clientId, {})).stream_id
}

describe('a client', () => {
  test('has so many streams and no more', async () => {
    const clientId = newId('cli_')
    for (let streams = 0; streams < MAX_STREAMS; streams++) await make(clientId)
    expectRefusal(await createStream(dependencies(), clientId, {}), 'too_many_streams')
  })

  test('finds its own streams alone', async () => {
    const clientId = newId('cli_')
    const streamId = await make(clientId)
    expect(expectOk(await readStream(dependencies(), { streamId, clientId })).aud).toBe(clientId)
    const other = { streamId, clientId: newId('cli_') }
    expectRefusal(await readStream(dependencies(), other), 'stream_unknown')
  })

  /** An issuer may be called `okta`, and who calls by its tokens is `okta:` and what a claim says (`issuer-token.ts`). */
  test('ATTACK: has no stream of a receiver that an administrator made, whatever it is called', async () => {
    const receiver = oktaReceiver('https://acme.okta.com')
    const streamId = await createReceiver(dependencies(), receiver, 'test')
    if (streamId === undefined) expect.unreachable()
    expect(receiver.name).not.toContain(':')
    const clientId = 'okta:acme.okta.com'
    expect(await readStreams(dependencies(), clientId)).toEqual([])
    expectRefusal(await removeStream(dependencies(), { streamId, clientId }), 'stream_unknown')
  })

  test('asks for a verification once in a while', async () => {
    const clientId = newId('cli_')
    const body = { stream_id: await make(clientId) }
    expectOk(await verifyStream(dependencies(), clientId, body))
    expectRefusal(await verifyStream(dependencies(), clientId, body), 'verification_too_soon')
  })

  test('whose stream is changed again and again by another is told so', async () => {
    const clientId = newId('cli_')
    const body = { stream_id: await make(clientId), description: 'mine' }
    const contended = dependencies({ changeStream: async () => 'superseded' })
    const input = { clientId, body, replaces: false }
    expectRefusal(await changeStream(contended, input), 'stream_contended')
    expect(expectOk(await changeStream(dependencies(), input)).description).toBe('mine')
  })

  test('leaves out so many subjects and no more', async () => {
    const clientId = newId('cli_')
    const subject = { format: 'email', email: 'a@example.com' }
    const body = { stream_id: await make(clientId), subject }
    // The store's contract has the bound itself.
    const full = dependencies({ excludeSubject: async () => 'too_many_subjects' })
    const input = { clientId, body, removes: true }
    expectRefusal(await changeSubject(full, input), 'too_many_subjects')
    expectOk(await changeSubject(dependencies(), input))
  })
})

test('a stream that there is not is not tested', async () => {
  const tested = await testStream({ store: database.store, clock: () => now }, 'str_none')
  expectRefusal(tested, 'stream_to_test_not_found')
})
