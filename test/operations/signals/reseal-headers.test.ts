import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WEBHOOK } from '../../../src/alerts/webhook.ts'
import type { MasterSecret } from '../../../src/keys/master-secret.ts'
import {
  openHeader,
  resealHeader,
  sealHeader,
  streamHeaderKeys,
} from '../../../src/keys/stream-header.ts'
import {
  openWebhookSecrets,
  resealWebhookSecrets,
  sealWebhookSecrets,
  webhookKeys,
} from '../../../src/keys/webhook-secrets.ts'
import { resealHeaders } from '../../../src/operations/signals/reseal-headers.ts'
import { PUSH } from '../../../src/signals/stream.ts'
import { newId } from '../../store/fixtures.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const now = new Date('2026-03-01T13:00:00Z')
const by = { by: 'test', now }
const HEADER = 'Bearer of-the-receiver'
let database: TestDatabase

beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const secret = () => new Uint8Array(randomBytes(32)) as MasterSecret

async function make(sealed: (streamId: string) => string | null) {
  const name = { streamId: newId('str_'), clientId: newId('cli_') }
  const url = 'https://receiver.example/in'
  await database.store.createStream({
    ...{ ...name, audience: 'a', subjectForm: 'device', most: 5, description: 'mine' },
    delivery: { method: PUSH, url, sealedAuthorization: sealed(name.streamId) },
    ...{ eventsRequested: ['urn:x'], eventsDelivered: ['session-revoked'], ...by },
  })
  return name
}

test('headers that the secret before sealed are sealed with the one of now, and nothing else changes', async () => {
  const { store } = database
  const [before, current, lost] = [secret(), secret(), secret()]
  const seal = (own: MasterSecret) => (streamId: string) =>
    sealHeader(streamHeaderKeys([own]), HEADER, streamId)
  const old = await make(seal(before))
  const others = [await make(seal(current)), await make(seal(lost)), await make(() => null)]
  const keys = streamHeaderKeys([current, before])
  const hooks = webhookKeys([current, before])
  const reseal = () =>
    resealHeaders({
      ...{ store, clock: () => now },
      resealHeader: (sealed, streamId) => resealHeader(keys, sealed, streamId),
      resealSecrets: (sealed, streamId) => resealWebhookSecrets(hooks, sealed, streamId),
    })
  const unchanged = await Promise.all(others.map(store.findStream))
  const whole = await store.findStream(old)
  expect(await reseal()).toBe(1)
  const found = await store.findStream(old)
  expect(found).toEqual({ ...whole, revision: 2, delivery: found?.delivery })
  if (found?.delivery.method !== PUSH) throw new TypeError('it was pushed to')
  const { sealedAuthorization: sealed, url } = found.delivery
  expect(url).toBe('https://receiver.example/in')
  const opened = (own: MasterSecret) =>
    openHeader(streamHeaderKeys([own]), sealed ?? '', old.streamId)
  expect([opened(current), opened(before)]).toEqual([HEADER, undefined])
  expect(await Promise.all(others.map(store.findStream))).toEqual(unchanged)
  expect(await reseal()).toBe(0)
})

test('so are the secrets of destinations of alarms', async () => {
  const { store } = database
  const [before, current] = [secret(), secret()]
  const streamId = newId('str_')
  const secrets = { current: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', previous: null }
  await store.createWebhook({
    ...{ streamId, url: 'https://hooks.example/in', alarms: [], description: null, most: 5, ...by },
    sealedSecrets: sealWebhookSecrets(webhookKeys([before]), secrets, streamId),
  })
  const hooks = webhookKeys([current, before])
  const reseal = () =>
    resealHeaders({
      ...{ store, clock: () => now, resealHeader: () => undefined },
      resealSecrets: (sealed, id) => resealWebhookSecrets(hooks, sealed, id),
    })
  expect(await reseal()).toBe(1)
  const found = (await store.listStreams()).find((one) => one.streamId === streamId)
  if (found?.delivery.method !== WEBHOOK) throw new TypeError('it is a destination')
  const { sealedSecrets } = found.delivery
  expect(openWebhookSecrets(webhookKeys([current]), sealedSecrets, streamId)).toEqual(secrets)
  expect(openWebhookSecrets(webhookKeys([before]), sealedSecrets, streamId)).toBeUndefined()
  expect(openWebhookSecrets(webhookKeys([current]), sealedSecrets, newId('str_'))).toBeUndefined()
  expect(await reseal()).toBe(0)
})
