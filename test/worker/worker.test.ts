import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { Invocation } from '../../src/compose/worker-service.ts'
import type { WorkerBindings } from '../../src/config/worker-config.ts'
import { hashClientSecret, newClientSecret } from '../../src/keys/client-secret.ts'
import { EVENT_TYPES } from '../../src/signals/event-types.ts'
import { PUSH } from '../../src/signals/stream.ts'
import { openPostgresStore } from '../../src/store/drivers/postgres.ts'
import {
  createHolder,
  DEVICE,
  keySetOf,
  tokenOf,
} from '../access/break-glass/break-glass-fixture.ts'
import { attestationOf } from '../store/fixtures.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'

type Worker = typeof import('../../src/worker.ts')['default']

const ORIGIN = 'https://countersign.example.com'

/** The entry itself in this process; `dev-edge.test.ts` runs it in its own runtime. */
describePostgres('Worker', () => {
  let server: Postgres
  let worker: Worker
  let logged: string[]

  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server?.stop())

  beforeEach(async () => {
    // What an isolate keeps is kept by the module.
    vi.resetModules()
    worker = (await import('../../src/worker.ts')).default
    logged = []
    const write = (line: unknown) => void logged.push(String(line))
    const spy = vi.spyOn(console, 'log').mockImplementation(write)
    return () => spy.mockRestore()
  })

  const bindingsOf = (url: string): WorkerBindings => ({
    HYPERDRIVE: { connectionString: url },
    PUBLIC_URL: ORIGIN,
    SECRET_KEY: 'dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qgc2VjcmU=',
  })

  const migrated = async (name: string) => bindingsOf(await server.createMigrated(name))

  const get = async (bindings: WorkerBindings, path: string, headers: HeadersInit = {}) => {
    const { invocation, ended } = invoke()
    const answer = await worker.fetch(new Request(ORIGIN + path, { headers }), bindings, invocation)
    await ended()
    return answer
  }

  test('answers with the app of Node', async () => {
    const bindings = await migrated('serving')
    const ready = await get(bindings, '/readyz')
    expect(ready.status).toBe(200)
    expect(await ready.json()).toMatchObject({ status: 'ready', database: 'ok' })
    const metadata = await (await get(bindings, '/.well-known/openid-configuration')).json()
    expect(metadata).toMatchObject({ issuer: ORIGIN })
    expect((await get(bindings, '/nothing')).status).toBe(404)
  })

  test('of many first requests each is answered, with the same keys', async () => {
    const bindings = await migrated('rush')
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => get(bindings, '/.well-known/jwks.json')),
    )
    const bodies = await Promise.all(answers.map((answer) => answer.text()))
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 200))
    expect(new Set(bodies).size).toBe(1)
  })

  test('with mistakes in its bindings it tells the operator, and callers an id', async () => {
    const bindings = { HYPERDRIVE: { connectionString: 'postgres://u:hunter2@db/x' } }
    const answer = await get(bindings, '/v1/challenge', { 'x-request-id': 'asked-1' })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('retry-after')).toMatch(/^(?:[5-9]|10)$/)
    expect(answer.headers.get('x-request-id')).toBe('asked-1')
    const body = await answer.text()
    expect(JSON.parse(body)).toMatchObject({
      status: 503,
      code: 'unavailable',
      instance: 'urn:countersign:request:asked-1',
    })
    expect(body).not.toMatch(/SECRET_KEY|PUBLIC_URL/)
    const line = logged.find((one) => one.includes('asked-1')) ?? ''
    expect(JSON.parse(line)).toMatchObject({ level: 'error', event: 'start_failed' })
    expect(line).toContain('SECRET_KEY: is needed')
    expect(line).toContain('PUBLIC_URL: is needed')
    expect(logged.join()).not.toContain('hunter2')
  })

  test('a start that fails is worded as the standard of the path says', async () => {
    expect(await (await get({}, '/access/v1/evaluation')).json()).toMatch(/^the service cannot/)
    expect(await (await get({}, '/attest/Tpm')).json()).toMatchObject({
      error: { code: 'ServiceUnavailable' },
    })
  })

  test('break-glass opens an isolate that never reached its database, and nothing else does', async () => {
    const holders = [await createHolder('alice'), await createHolder('bob')]
    const bindings = {
      ...bindingsOf(server.url.replace(/postgres$/, 'nowhere')),
      BREAK_GLASS_KEYS: keySetOf(...holders),
    }
    const iat = Math.floor(Date.now() / 1000)
    const token = await tokenOf(holders, { aud: ORIGIN, sub: DEVICE, iat, exp: iat + 600 })
    const ask = async (headers: Readonly<Record<string, string>>) => {
      const question = {
        subject: { type: 'device', id: DEVICE },
        action: { name: 'signin' },
        resource: { type: 'application', id: 'mail' },
      }
      const { invocation, ended } = invoke()
      const request = new Request(`${ORIGIN}/access/v1/evaluation`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(question),
      })
      const answer = await worker.fetch(request, bindings, invocation)
      await ended()
      return answer
    }
    const opened = await ask({ 'break-glass': token })
    expect(opened.status).toBe(200)
    expect(await opened.json()).toMatchObject({ decision: true })
    expect(logged.join()).toContain('"event":"break_glass_used"')
    expect((await ask({ 'break-glass': `${token}x` })).status).toBe(403)
    expect((await ask({})).status).toBe(503)
  })

  test('a database that comes late is found by the next request', async () => {
    const bindings = bindingsOf(server.url.replace(/postgres$/, 'late'))
    const early = await get(bindings, '/readyz')
    expect(early.status).toBe(503)
    expect(await early.json()).toMatchObject({ code: 'unavailable' })
    expect(logged.join()).toContain('database \\"late\\" does not exist')
    await migrated('late')
    expect((await get(bindings, '/readyz')).status).toBe(200)
  })

  test('a run of the schedule removes what has expired', async () => {
    const bindings = await migrated('jobs')
    const url = bindings.HYPERDRIVE?.connectionString ?? ''
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(
      "insert into spent_nonce (device_id, nonce_id, expires_at) values ('d', 'n', '2020-01-01')",
    )
    const { invocation, ended } = invoke()
    await worker.scheduled({}, bindings, invocation)
    await ended()
    expect((await client.query('select * from spent_nonce')).rows).toEqual([])
    await client.end()
  })

  test('keeps a question after its answer, and logs the decision', async () => {
    const bindings = { ...(await migrated('questions')), DECISION_LOG: 'all', LOG_LEVEL: 'error' }
    await get(bindings, '/readyz')
    const url = bindings.HYPERDRIVE?.connectionString ?? ''
    const store = openPostgresStore({ url, poolSize: 1 })
    const secret = newClientSecret(randomBytes(32))
    await store.createClient({
      ...{ clientId: 'cli_idp', name: 'idp', scopes: ['access.evaluate'], by: 'test' },
      ...{ secretHash: hashClientSecret(secret), now: new Date() },
    })
    await store.recordAttestation(attestationOf({ deviceId: DEVICE }))
    await store.close()
    const body = {
      subject: { type: 'device', id: DEVICE },
      action: { name: 'signin' },
      resource: { type: 'application', id: 'payroll' },
    }
    const headers = {
      authorization: `Basic ${Buffer.from(`cli_idp:${secret}`).toString('base64')}`,
      'content-type': 'application/json',
    }
    const { invocation, ended } = invoke()
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    const question = new Request(`${ORIGIN}/access/v1/evaluation`, init)
    expect((await worker.fetch(question, bindings, invocation)).status).toBe(200)
    await ended()
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query('select client_id, device_id, asked, about from question')
    await client.end()
    expect(rows).toEqual([
      {
        ...{ client_id: 'cli_idp', device_id: DEVICE, asked: '1' },
        about: { action: 'signin', resource_type: 'application', resource_id: 'payroll' },
      },
    ])
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'decision', client: 'cli_idp', device_id: DEVICE, decision: false },
    ])
  })

  test('events leave after the answer to what announced them, to their receivers', async () => {
    const pushed: { readonly url: string; readonly token: string }[] = []
    // The runtime's own fetch guards where it connects to (`global_fetch_strictly_public`).
    const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
      pushed.push({ url: String(url), token: String(init?.body) })
      return new Response(null, { status: 202 })
    })
    onTestFinished(() => spy.mockRestore())
    const bindings = await migrated('signals')
    await get(bindings, '/readyz')
    const store = openPostgresStore({
      url: bindings.HYPERDRIVE?.connectionString ?? '',
      poolSize: 5,
    })
    onTestFinished(() => store.close())
    const secret = newClientSecret(randomBytes(32))
    const scopes = ['ssf.manage', 'admin.write'] as const
    await store.createClient({
      ...{ clientId: 'cli_rp', name: 'rp', scopes, by: 'test' },
      ...{ secretHash: hashClientSecret(secret), now: new Date() },
    })
    await store.recordAttestation(attestationOf({ deviceId: DEVICE }))
    const authorization = `Basic ${Buffer.from(`cli_rp:${secret}`).toString('base64')}`
    const post = async (path: string, body: object) => {
      const { invocation, ended } = invoke()
      const headers = { authorization, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const answer = await worker.fetch(new Request(ORIGIN + path, init), bindings, invocation)
      await ended()
      return answer
    }
    const endpoint_url = 'https://receiver.example/in'
    const made = await post('/ssf/stream', {
      delivery: { method: PUSH, endpoint_url },
      events_requested: [EVENT_TYPES['session-revoked']],
    })
    expect(made.status).toBe(201)
    expect(pushed).toEqual([])
    await post(`/v1/devices/${DEVICE}/quarantine`, { reason: 'stolen' })
    expect(pushed.map(({ url }) => url)).toEqual([endpoint_url])
    const [, claims = ''] = pushed[0]?.token.split('.') ?? []
    expect(Object.keys(JSON.parse(Buffer.from(claims, 'base64url').toString()).events)).toEqual([
      EVENT_TYPES['session-revoked'],
    ])
  })

  test('a run of the schedule that cannot start says so and fails nobody', async () => {
    await worker.scheduled({}, {}, invoke().invocation)
    expect(logged.join()).toContain('start_failed')
  })
})

function invoke() {
  const waiting: Promise<unknown>[] = []
  const invocation: Invocation = { waitUntil: (work) => void waiting.push(work) }
  // What is waited for may have something waited for in its turn.
  const ended = async () => {
    for (const work of waiting) await work
  }
  return { invocation, ended }
}
