import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { webhookServices } from '../../../src/compose/alerts.ts'
import { deliverServices } from '../../../src/compose/signals.ts'
import { createWebhook, rotateWebhook } from '../../../src/operations/alerts/manage-webhooks.ts'
import {
  listWebhooks,
  removeWebhook,
  testWebhook,
} from '../../../src/operations/alerts/steer-webhook.ts'
import { noteAlarms, watchAlarms } from '../../../src/operations/alerts/watch-alarms.ts'
import { deliverRound } from '../../../src/operations/signals/deliver-round.ts'
import { createCheckedLookup } from '../../../src/receivers/checked-lookup.ts'
import { createNodePost } from '../../../src/receivers/push-by-node.ts'
import { createTlsIdentity } from '../../support/azure/certificates.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/*
 * The witness: the library of Standard Webhooks for JavaScript verifies what arrives over a real TLS connection. The
 * library holds the time against the clock of this machine, so the service has that clock here.
 */

const HOST = 'hooks.example'
let database: TestDatabase
let service: TestService
let authority: Awaited<ReturnType<typeof createTlsIdentity>>
const clock = testClock(new Date())

beforeAll(async () => {
  authority = await createTlsIdentity([HOST])
  database = await openTestDatabase()
  service = await createTestService({ database, clock })
})
afterAll(() => database.close())

type Seen = { readonly headers: IncomingHttpHeaders; readonly body: string }

/** A destination over TLS that answers as it is told, and the service's way to it. */
async function startDestination(addresses = ['127.0.0.1'], hosts = [HOST]) {
  const seen: Seen[] = []
  const destination = {
    seen,
    status: 204,
    headers: {} as Readonly<Record<string, string>>,
    url: '',
  }
  const server = createServer(authority.tls, (request, response: ServerResponse) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push({ headers: request.headers, body })
      response.writeHead(destination.status, destination.headers).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  destination.url = `https://${HOST}:${(server.address() as AddressInfo).port}/in`
  const privateHosts = new Set(hosts)
  const lookup = createCheckedLookup(privateHosts, (_, __, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    ),
  )
  const { post, close } = createNodePost({ lookup, privateHosts, ca: [authority.caPem] })
  onTestFinished(() => {
    close()
    server.closeAllConnections()
    server.close()
  })
  const round = () => {
    const dependencies = deliverServices({ ...service.services, post })
    return deliverRound(dependencies, new AbortController().signal)
  }
  return { destination, round }
}

const webhooks = () => webhookServices(service.services)

async function add(url: string, change: Partial<Parameters<typeof createWebhook>[1]> = {}) {
  const asked = { url, alarms: [], description: null, by: 'test', ...change }
  const made = expectOk(await createWebhook(webhooks(), asked))
  onTestFinished(async () => {
    await service.services.store.removeStream({
      ...{ streamId: made.streamId, clientId: null, by: 'test', now: clock.now() },
    })
  })
  return made
}

const raise = (subject: string) =>
  noteAlarms(service.services, [
    ...[
      {
        name: 'break_glass_used',
        subject,
        level: '',
        detail: { times: 1 },
        until: at(900),
      } as const,
    ],
  ])
const at = (seconds: number) => new Date(clock.now().getTime() + seconds * 1000)

function verify({ headers, body }: Seen, secret: string): Json {
  const texts = Object.fromEntries(
    ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [
      name,
      String(headers[name]),
    ]),
  )
  return new Webhook(secret).verify(body, texts)
}

const firstOf = (seen: readonly Seen[]): Seen => {
  const [one] = seen
  if (one === undefined) throw new TypeError('nothing arrived')
  return one
}

describe('an alarm', () => {
  test('arrives signed, once, when it is raised and when it is over', async () => {
    const { destination, round } = await startDestination()
    const { secret } = await add(destination.url)
    await raise('once')
    await raise('once')
    await round()
    expect(destination.seen).toHaveLength(1)
    const arrived = firstOf(destination.seen)
    expect(arrived.headers['content-type']).toBe('application/json')
    expect(verify(arrived, secret)).toMatchObject({
      type: 'alarm.raised',
      data: { alarm: 'break_glass_used', subject: 'once', severity: 'critical' },
    })
    clock.advance(901)
    await watchAlarms({ ...service.services, providerKeys: undefined })
    await round()
    expect(destination.seen.map((one) => JSON.parse(one.body).type)).toEqual([
      ...['alarm.raised', 'alarm.cleared'],
    ])
    clock.set(new Date())
  })

  test('is told of by the audit log, under the name of the service', async () => {
    await raise('audited')
    const rows = await service.query(`select actor, action, detail ->> 'alarm' as alarm from audit
      where detail ->> 'subject' = 'audited'`)
    expect(rows).toEqual([{ actor: 'service', action: 'alarm.raised', alarm: 'break_glass_used' }])
  })

  test('goes to no destination that wants to hear of others alone', async () => {
    const { destination, round } = await startDestination()
    await add(destination.url, { alarms: ['rollout_halted'] })
    await raise('not wanted')
    await round()
    expect(destination.seen).toEqual([])
  })

  test('that finds nobody there is tried again later under the same id, at another time', async () => {
    const { destination, round } = await startDestination()
    const { secret } = await add(destination.url)
    destination.status = 503
    destination.headers = { 'retry-after': '30' }
    await raise('again')
    await round()
    await round()
    expect(destination.seen).toHaveLength(1)
    clock.advance(31)
    destination.status = 200
    await round()
    const [first, second] = destination.seen
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    expect(second?.headers['webhook-timestamp']).not.toBe(first?.headers['webhook-timestamp'])
    expect(second && verify(second, secret).data.subject).toBe('again')
    clock.set(new Date())
  })

  test.each([400, 410, 422])(
    'that is answered %d is kept as refused, and holds up none',
    async (status) => {
      const { destination, round } = await startDestination()
      const { streamId } = await add(destination.url)
      destination.status = status
      await raise(`refused ${status}`)
      await round()
      destination.status = 204
      await raise(`after ${status}`)
      await round()
      expect(destination.seen).toHaveLength(2)
      const { store } = service.services
      const refused = await store.refusedDeliveries({ streamId, limit: 5 })
      expect(refused.map(({ failure, payload }) => [failure, Object(payload).subject])).toEqual([
        [String(status), `refused ${status}`],
      ])
      const found = (await listWebhooks(store)).find((one) => one.stream.streamId === streamId)
      expect(found).toMatchObject({ waiting: 0, refused: 1 })
      // Which is an alarm of its own, that names the host and nothing else of the URL.
      await watchAlarms({ ...service.services, providerKeys: undefined })
      const standing = await store.standingAlarms()
      expect(standing.find((one) => one.subject === streamId)).toMatchObject({
        ...{ name: 'dead_letters', detail: { refused: 1, to: new URL(destination.url).host } },
      })
    },
  )

  test('is posted to no address that is not public', async () => {
    const { destination, round } = await startDestination(['169.254.169.254'], [])
    const { streamId } = await add(destination.url)
    await raise('to the metadata of a cloud')
    await round()
    expect(destination.seen).toEqual([])
    const found = (await service.services.store.listStreams()).find(
      (one) => one.streamId === streamId,
    )
    expect(found?.failing?.failure).toBe('its address is not a public one')
  })
})

describe('a secret', () => {
  test('that is rotated signs beside the new one for its overlap, and then no more', async () => {
    const { destination, round } = await startDestination()
    const { streamId, secret: old } = await add(destination.url)
    const overlapMs = 60_000
    const rotation = { streamId, overlapMs, by: 'test' }
    const { secret } = expectOk(await rotateWebhook(webhooks(), rotation))
    await raise('in the overlap')
    await round()
    const both = firstOf(destination.seen)
    expect(verify(both, secret).type).toBe('alarm.raised')
    expect(verify(both, old).type).toBe('alarm.raised')
    clock.advance(60)
    await raise('after it')
    await round()
    const [, after] = destination.seen
    if (after === undefined) throw new TypeError('nothing arrived')
    expect(verify(after, secret).type).toBe('alarm.raised')
    expect(() => verify(after, old)).toThrow()
    clock.set(new Date())
  })

  test('stands in no row as it is, and in no audit entry', async () => {
    const { streamId, secret } = await add('https://hooks.example/in')
    const bare = secret.slice('whsec_'.length)
    for (const table of ['stream', 'audit', 'outbox']) {
      const rows = await service.query(`select count(*)::integer as rows from ${table} as t
        where t::text like '%${bare}%'`)
      expect(rows, table).toEqual([{ rows: 0 }])
    }
    const audited = await service.query(`select actor, action from audit
      where detail ->> 'streamId' = '${streamId}'`)
    expect(audited).toEqual([{ actor: 'test', action: 'webhook.created' }])
  })
})

test('a test goes the way of alarms', async () => {
  const { destination, round } = await startDestination()
  const { streamId, secret } = await add(destination.url)
  expectOk(await testWebhook({ store: service.services.store, clock: clock.now }, streamId))
  await round()
  expect(verify(firstOf(destination.seen), secret)).toMatchObject({
    ...{ type: 'alarm.raised', data: { alarm: 'test', severity: 'info' } },
  })
})

test('a destination that is not there is refused, and one too many, and one that was changed', async () => {
  const dependencies = { store: service.services.store, clock: clock.now }
  const none = { streamId: 'str_none', by: 'test' }
  expectRefusal(await testWebhook(dependencies, 'str_none'), 'webhook_not_found')
  expectRefusal(await removeWebhook(dependencies, none), 'webhook_not_found')
  expectRefusal(await rotateWebhook(webhooks(), { ...none, overlapMs: 0 }), 'webhook_not_found')
  const { streamId } = await add('https://hooks.example/in')
  const stale = webhooks()
  const old = await stale.store.listStreams()
  const rotation = { streamId, overlapMs: 0, by: 'test' }
  expectOk(await rotateWebhook(stale, rotation))
  const behind = { ...stale, store: { ...stale.store, listStreams: async () => old } }
  expectRefusal(await rotateWebhook(behind, rotation), 'webhook_changed_meanwhile')
  for (let made = 1; made < 16; made++) await add(`https://hooks.example/${made}`)
  const more = { url: 'https://hooks.example/', alarms: [], description: null, by: 'test' }
  expectRefusal(await createWebhook(webhooks(), more), 'webhooks_too_many')
  expectOk(await removeWebhook(dependencies, { streamId, by: 'test' }))
})
