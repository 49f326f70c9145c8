import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../../src/signals/event-types.ts'
import { POLL, PUSH } from '../../../src/signals/stream.ts'
import { attestationOf, newDeviceId } from '../../store/fixtures.ts'
import type { Json } from '../../support/json.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

let database: TestDatabase
let service: TestService
let receiver: Readonly<Record<string, string>>
const clock = testClock(new Date('2026-03-01T12:00:00Z'))

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, clock })
  receiver = await service.as('ssf.read', 'ssf.manage')
})
afterAll(() => database.close())

const WRONG = { authorization: 'Bearer wrong' }
const COMPLIANCE = EVENT_TYPES['device-compliance-change']

type Call = {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: typeof receiver
}

async function call(path: string, { method = 'GET', body, headers = receiver }: Call = {}) {
  const text = typeof body === 'string' ? body : body === undefined ? null : JSON.stringify(body)
  const type = text === null ? {} : { 'content-type': 'application/json' }
  const response = await service.request(path, {
    ...{ method, body: text, headers: { ...headers, ...type } },
  })
  const answer = await response.text()
  const value: Json = answer === '' ? undefined : JSON.parse(answer)
  return { status: response.status, value, headers: response.headers }
}

async function create(body: object = { events_requested: [COMPLIANCE] }): Promise<Json> {
  const made = await call('/ssf/stream', { method: 'POST', body })
  expect(made.status).toBe(201)
  return made.value
}

const remove = (streamId: string) => call(`/ssf/stream?stream_id=${streamId}`, { method: 'DELETE' })

/** Witness: the cases of the OpenID Foundation's conformance suite. */
describeVectors('the conformance suite', () => {
  const { cases }: Json = vectorJson('ssf/stream-http-vectors.json')
  const paths: Readonly<Record<string, string>> = {
    configuration_endpoint: '/ssf/stream',
    'configuration_endpoint?stream_id=': '/ssf/stream?stream_id=',
    'status_endpoint?stream_id=': '/ssf/status?stream_id=',
    status_endpoint: '/ssf/status',
    verification_endpoint: '/ssf/verify',
  }

  test.each<Json>(cases)(
    '$case',
    async ({ case: name, method, endpoint, status, body, body_has }) => {
      const isUnknown = name.includes('unknown')
      const stream = await create()
      const streamId = isUnknown ? 'unknown' : stream.stream_id
      const isPoll = endpoint === 'delivery.endpoint_url'
      const place = isPoll
        ? new URL(stream.delivery.endpoint_url).pathname
        : (paths[endpoint] ?? '')
      const path = place.endsWith('=') ? `${place}${streamId}` : place
      const statuses = name.startsWith('status update')
        ? ['paused', 'disabled', 'enabled']
        : [undefined]
      const headers = name.includes('invalid') ? WRONG : receiver
      // What the suite allows only of a transmitter with one stream a receiver is no refusal here.
      for (const wanted of name.includes('twice') ? [undefined, undefined] : statuses) {
        const change = { stream_id: streamId, events_requested: [COMPLIANCE] }
        const broken = name.includes('broken') ? ';{ broken' : undefined
        const sent =
          method === 'GET' || method === 'DELETE'
            ? undefined
            : (broken ?? (isPoll ? body : { ...change, ...(wanted && { status: wanted }) }))
        const answer = await call(path, { method, body: sent, headers })
        expect(status).toContain(answer.status)
        if (body_has !== undefined) expect(answer.value.status).toBe(wanted)
        if (answer.status < 300) expect(answer.headers.get('cache-control')).toBe('no-store')
        if (name.startsWith('create')) await remove(answer.value?.stream_id)
      }
      await remove(stream.stream_id)
    },
  )
})

describe('a receiver', () => {
  test('finds out where everything is (SSF 1.0 §7.1)', async () => {
    const { value } = await call('/.well-known/ssf-configuration', { headers: {} })
    expect(value).toMatchObject({
      ...{ spec_version: '1_0', issuer: service.url, delivery_methods_supported: [PUSH, POLL] },
      default_subjects: 'ALL',
      authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }, { spec_urn: 'urn:ietf:rfc:7617' }],
    })
    for (const [name, url] of Object.entries<string>(value)) {
      if (name.endsWith('_endpoint') || name === 'jwks_uri') expect(url).toContain(service.url)
      if (Array.isArray(url)) expect(url).not.toEqual([])
    }
  })

  test('is told what to mend of a stream that cannot be made', async () => {
    const delivery = { method: PUSH, endpoint_url: 'http://receiver.example/events' }
    const body = { events_requested: [COMPLIANCE], delivery }
    const { status, value } = await call('/ssf/stream', { method: 'POST', body })
    expect({ status, code: value.code }).toEqual({ status: 400, code: 'stream_push_url_refused' })
    expect(value.detail).toMatch(/^delivery\.endpoint_url: Give an https URL/)
    const gone = await call('/ssf/status?stream_id=str_none')
    expect(gone.value.detail).toBe('Read the streams of the client (GET /ssf/stream).')
  })

  test('polls what becomes of devices, signed by a key that is published', async () => {
    const stream = await create()
    const deviceId = newDeviceId()
    await service.services.store.recordAttestation(attestationOf({ deviceId }))
    const poll = new URL(stream.delivery.endpoint_url).pathname
    const body = { returnImmediately: true }
    const { value } = await call(poll, { method: 'POST', body })
    const [[jti, token]] = Object.entries<string>(value.sets) as [[string, string]]
    const keys = (await call('/.well-known/jwks.json')).value
    const verified = await jwtVerify(token, createLocalJWKSet(keys), {
      ...{ issuer: service.url, audience: stream.aud, typ: 'secevent+jwt', algorithms: ['RS256'] },
      currentDate: clock.now(),
    })
    expect(verified.payload).toMatchObject({ jti, events: { [COMPLIANCE]: {} } })
    const key = keys.keys.find((one: Json) => one.kid === verified.protectedHeader.kid)
    expect(Buffer.from(key.n, 'base64url').length * 8).toBeGreaterThanOrEqual(2048)
    const acknowledged = await call(poll, { method: 'POST', body: { ...body, ack: [jti] } })
    expect(acknowledged.value.sets).toEqual({})
    await remove(stream.stream_id)
  })

  test('gets its state back exactly, and only where it sent one (SSF 1.0 §8.1.4.2)', async () => {
    const stream = await create({})
    const poll = new URL(stream.delivery.endpoint_url).pathname
    const states: unknown[] = []
    for (const state of ['VGhpcyBpcw==', undefined]) {
      const verify = { method: 'POST', body: { stream_id: stream.stream_id, state } }
      expect((await call('/ssf/verify', verify)).status).toBe(204)
      expect((await call('/ssf/verify', verify)).status).toBe(429)
      const { value } = await call(poll, { method: 'POST', body: { returnImmediately: true } })
      const [[jti, token]] = Object.entries<string>(value.sets) as [[string, string]]
      const [, payload = ''] = token.split('.')
      const claims: Json = JSON.parse(Buffer.from(payload, 'base64url').toString())
      expect(claims.sub_id).toEqual({ format: 'opaque', id: stream.stream_id })
      states.push(claims.events[EVENT_TYPES.verification])
      await call(poll, { method: 'POST', body: { returnImmediately: true, ack: [jti] } })
      clock.advance(10)
    }
    expect(states).toEqual([{ state: 'VGhpcyBpcw==' }, {}])
    await remove(stream.stream_id)
  })

  test('is never told again what it wants to be called with, and nobody finds it', async () => {
    const delivery = {
      ...{ method: PUSH, endpoint_url: 'https://receiver.example.com/in' },
      authorization_header: 'Bearer of-the-receiver',
    }
    const stream = await create({ delivery })
    expect(stream.delivery).toEqual({ method: PUSH, endpoint_url: delivery.endpoint_url })
    const read = await call(`/ssf/stream?stream_id=${stream.stream_id}`)
    expect(read.value).toEqual(stream)
    const rows = await service.query('select * from stream')
    const seen = JSON.stringify([rows, await service.query('select * from audit'), service.logs])
    expect(seen).not.toContain('of-the-receiver')
    await remove(stream.stream_id)
  })

  test('is sent nothing more of a subject that it removed, and again of one that it added', async () => {
    const stream = await create()
    const id = stream.stream_id
    const poll = new URL(stream.delivery.endpoint_url).pathname
    const [mine = '', other = ''] = ['m', 'o'].map((letter) => `dev_${letter.repeat(52)}`)
    const body = {
      stream_id: id,
      subject: { format: 'iss_sub', iss: service.url, sub: mine },
    }
    const asked = { method: 'POST', body }
    const heardOf = async () => {
      const request = { method: 'POST', body: { returnImmediately: true } }
      const { value } = await call(poll, request)
      return Object.values<string>(value.sets).map((token) => {
        const [, claims = ''] = token.split('.')
        return JSON.parse(Buffer.from(claims, 'base64url').toString()).sub_id.sub
      })
    }
    const removed = await call('/ssf/subjects/remove', asked)
    expect([removed.status, removed.value]).toEqual([204, undefined])
    for (const deviceId of [mine, other]) {
      await service.services.store.recordAttestation(attestationOf({ deviceId }))
    }
    expect(await heardOf()).toEqual([other])
    const added = await call('/ssf/subjects/add', asked)
    expect([added.status, added.value]).toEqual([200, undefined])
    clock.advance(120)
    await service.services.store.recordAttestation(
      attestationOf({ deviceId: mine, verdict: 'untrusted', at: 60 }),
    )
    expect((await heardOf()).sort()).toEqual([mine, other].sort())
    const nobody = { ...asked, body: { ...body, subject: { format: 'phone_number' } } }
    expect((await call('/ssf/subjects/add', nobody)).status).toBe(404)
    expect((await call('/ssf/subjects/add', { ...asked, body: {} })).status).toBe(400)
    await remove(id)
  })

  test('has a subject refused that could be nobody, as no index could hold it', async () => {
    const { stream_id } = await create()
    // Characters that do not repeat: what an index cannot compress. PostgreSQL gives a row of one 2,704 bytes.
    const bytes = randomBytes(2000)
    const name = Array.from(bytes, (byte, at) => {
      return String.fromCharCode(0x4e00 + byte * 64 + ((bytes[at - 1] ?? 0) % 64))
    }).join('')
    const body = { stream_id, subject: { format: 'email', email: `${name}@example.com` } }
    const refused = await call('/ssf/subjects/remove', { method: 'POST', body })
    expect({ status: refused.status, code: refused.value?.code }).toEqual({
      ...{ status: 404, code: 'subject_unknown' },
    })
    const longest = { format: 'email', email: `${'ü'.repeat(308)}@example.com` }
    const kept = await call('/ssf/subjects/remove', {
      ...{ method: 'POST', body: { stream_id, subject: longest } },
    })
    expect(kept.status).toBe(204)
    await remove(stream_id)
  })

  test('sees and changes nothing of the streams of another', async () => {
    const stream = await create()
    const other = await service.as('ssf.read', 'ssf.manage', 'admin.read')
    const id = stream.stream_id
    const calls: readonly (readonly [string, Call])[] = [
      [`/ssf/stream?stream_id=${id}`, {}],
      [`/ssf/stream?stream_id=${id}`, { method: 'DELETE' }],
      ['/ssf/stream', { method: 'PATCH', body: { stream_id: id } }],
      ['/ssf/stream', { method: 'PUT', body: { stream_id: id } }],
      [`/ssf/status?stream_id=${id}`, {}],
      ['/ssf/status', { method: 'POST', body: { stream_id: id, status: 'disabled' } }],
      ['/ssf/verify', { method: 'POST', body: { stream_id: id } }],
      [
        '/ssf/subjects/remove',
        {
          method: 'POST',
          body: { stream_id: id, subject: { format: 'email', email: 'a@b.example' } },
        },
      ],
      [`/ssf/poll/${id}`, { method: 'POST', body: { returnImmediately: true } }],
    ]
    for (const [path, how] of calls) {
      expect((await call(path, { ...how, headers: other })).status).toBe(404)
    }
    expect((await call('/ssf/stream', { headers: other })).value).toEqual([])
    await remove(id)
  })

  test('manages with the scope to manage alone, and reads with that to read', async () => {
    const reader = await service.as('ssf.read')
    const stranger = await service.as('access.evaluate', 'admin.read', 'admin.write')
    const body = {}
    expect((await call('/ssf/stream', { method: 'POST', body, headers: reader })).status).toBe(403)
    expect((await call('/ssf/stream', { headers: reader })).status).toBe(200)
    expect((await call('/ssf/stream', { headers: stranger })).status).toBe(403)
  })
})
