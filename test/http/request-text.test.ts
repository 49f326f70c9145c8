import { afterAll, describe, expect, test } from 'vitest'
import { SCOPES } from '../../src/store/store.ts'
import { noteReason } from '../support/refusal.ts'
import { createTestService, everythingStored, expectProblem, readOk } from '../support/service.ts'
import { openTestDatabase } from '../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())
const admin = await service.as(...SCOPES)

const ROUTES = [
  ...new Map(
    service.app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => [`${method} ${path}`, { method, path }]),
  ).values(),
]
/** What reads no body sees nothing of what stands in it. */
const WITHOUT_BODY = ['/v1/webhooks/:id/test']
/** The console reads forms, of people who are signed in: `test/http/console` has them. */
const WITH_BODY = ROUTES.filter(({ method, path }) => {
  const hasBody = method !== 'GET' && method !== 'DELETE' && !WITHOUT_BODY.includes(path)
  return hasBody && !path.startsWith('/console/')
})
const fill = (path: string, id: string) => path.replaceAll(/:\w+/g, id)

/** Table 3-7 of the Unicode Standard, RFC 3629 §4: what no UTF-8 text holds. */
const NOT_UTF8: readonly (readonly [string, string])[] = [
  ['ISO 8859-1', 'J\xf6rg'],
  ['a continuation byte alone', 'a\x80b'],
  ['a sequence that is cut off', 'a\xe2\x82'],
  ['an overlong form', '\xc0\xaf'],
  ['an overlong NUL', '\xc0\x80'],
  ['a surrogate', '\xed\xa0\x80'],
  ['what is beyond U+10FFFF', '\xf4\x90\x80\x80'],
  ['a byte that there is not', '\xff'],
]

const streamOf = (text: string, size = 7) =>
  new ReadableStream({
    start(controller) {
      const bytes = Buffer.from(text, 'latin1')
      for (let at = 0; at < bytes.length; at += size) {
        controller.enqueue(Uint8Array.from(bytes.subarray(at, at + size)))
      }
      controller.close()
    },
  })

async function codeOf(answer: Response): Promise<unknown> {
  const body: unknown = await answer.json()
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : body
}

async function send(method: string, path: string, body?: string, declared = false) {
  const headers = {
    ...admin,
    'content-type': 'application/json',
    ...(declared && body !== undefined && { 'content-length': String(body.length) }),
  }
  return service.request(path, {
    method,
    headers,
    ...(body !== undefined && { body: streamOf(body) }),
  })
}

test('there are routes to walk', () => {
  expect(ROUTES.length).toBeGreaterThan(25)
  expect(WITH_BODY.length).toBeGreaterThan(12)
})

describe('text that PostgreSQL cannot store, and bytes that are no text', () => {
  test.each(['%00', 'dev_%00', '%ff', '%C3', '%c0%af', '%ED%A0%80', '%', '%4', '%zz', '%e2%82'])(
    'in the path or the query are refused on every route: %s',
    async (odd) => {
      const before = await everythingStored(service.query)
      service.calls.length = 0
      for (const { method, path } of ROUTES) {
        const body = method === 'GET' ? undefined : '{}'
        const targets = [`${fill(path, 'a')}?search=${odd}`, `${fill(path, 'a')}?${odd}=1`]
        if (path.includes(':')) targets.push(fill(path, odd))
        for (const target of targets) {
          const answer = await send(method, target, body)
          expect([method, target, answer.status]).toEqual([method, target, 400])
          if (path.startsWith('/v1/')) expect(await codeOf(answer)).toBe('text_not_storable')
        }
      }
      expect(service.calls).toEqual([])
      expect(await everythingStored(service.query)).toEqual(before)
    },
  )

  test.each(['\\u0000', 'a\\u0000', '\\ud800', '\\udead', '\\ude00\\ud83d', '\\uD83Dx'])(
    'in a name or string of the body are refused on every route: %s',
    async (odd) => {
      const before = await everythingStored(service.query)
      for (const { method, path } of WITH_BODY) {
        for (const body of [
          `{"reason":"${odd}","data":"${odd}","token":"${odd}"}`,
          `{"${odd}":1}`,
          `{"a":[{"b":["${odd}"]}]}`,
        ]) {
          const answer = await send(method, fill(path, 'a'), body)
          expect([method, path, answer.status]).toEqual([method, path, 400])
          if (path.startsWith('/v1/')) expect(await codeOf(answer)).toBe('text_not_storable')
        }
      }
      expect(await everythingStored(service.query)).toEqual(before)
      noteReason('text_not_storable')
    },
  )

  test.each(NOT_UTF8)('in the bytes of a body are refused on every route: %s', async (_, odd) => {
    const before = await everythingStored(service.query)
    for (const { method, path } of WITH_BODY) {
      for (const declared of [false, true]) {
        const answer = await send(method, fill(path, 'a'), `{"owner":"${odd}"}`, declared)
        expect([method, path, answer.status]).toEqual([method, path, 400])
        if (path.startsWith('/v1/')) expect(await codeOf(answer)).toBe('body_not_utf8')
      }
    }
    expect(await everythingStored(service.query)).toEqual(before)
    noteReason('body_not_utf8')
  })

  test('a byte order mark before JSON is no JSON (RFC 8259 §8.1)', async () => {
    const answer = await send('POST', '/v1/challenge', '\xef\xbb\xbf{}')
    await expectProblem(answer, 400, 'body_not_json')
  })
})

test('text of every other kind is kept as it came: unassigned, private, not a character', async () => {
  const made = await service.post(
    '/v1/devices',
    { device_key: `${'B'.repeat(43)}=` },
    { headers: admin },
  )
  const { device_id: id } = await readOk(made, 201)
  const owner = 'J\u00f6rg \u{1f600} \u0378 \ue000 \uffff \ufeff \u0001 \u007f e\u0301'
  for (const body of [
    JSON.stringify({ owner }),
    '{"owner":"\\ud83d\\ude00 \\\\u0000 \\\\ud800"}',
  ]) {
    const answer = await service.request(`/v1/devices/${id}`, {
      method: 'PATCH',
      headers: { ...admin, 'content-type': 'application/json' },
      body,
    })
    const expected = JSON.parse(body).owner
    expect((await readOk(answer)).owner).toBe(expected)
    const path = `/v1/devices?search=${encodeURIComponent(expected)}`
    expect((await readOk(await service.request(path, { headers: admin }))).devices).toHaveLength(1)
  }
})
