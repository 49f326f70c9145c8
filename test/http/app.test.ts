import { afterAll, describe, expect, test } from 'vitest'
import { toUtf8 } from '../../src/base/encoding.ts'
import { REQUEST_REASONS } from '../../src/http/read-json.ts'
import { noteReason } from '../support/refusal.ts'
import { createTestService, everythingStored, expectProblem, readOk } from '../support/service.ts'
import { openTestDatabase } from '../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())

const CHALLENGE = '/v1/challenge'
const deviceKey = `${'A'.repeat(43)}=`

describe('the id of a request', () => {
  const idOf = async (offered?: string, path = '/healthz') => {
    const headers = offered === undefined ? {} : { 'x-request-id': offered }
    return (await service.request(path, { headers })).headers.get('x-request-id')
  }

  test('is made up where there is none', async () => {
    const ids = [await idOf(), await idOf()]
    expect(ids[0]).toMatch(/^[\w-]{16}$/)
    expect(ids[1]).not.toBe(ids[0])
  })

  test.each(['/healthz', '/nowhere', '/v1/devices', '/access/v1/evaluation', '/attest/Tpm'])(
    'that was offered comes back, from %s too',
    async (path) => {
      expect(await idOf('a-1', path)).toBe('a-1')
    },
  )

  test.each([
    'with spaces',
    '"quoted" {json}',
    '\\u0000',
    'é',
    'a'.repeat(4_000),
    '../../etc',
    '<script>',
  ])('comes back as it was: %s', async (id) => {
    expect(await idOf(id)).toBe(id)
  })

  test('of which the runtime has lost bytes does not come back as something else', async () => {
    // What workerd makes of a header that is not UTF-8; Node has one character for each byte.
    const headers = new Headers()
    try {
      headers.set('x-request-id', 'Yucat\ufffdn')
    } catch {
      return
    }
    const answer = await service.request('/healthz', { headers })
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{16}$/)
  })

  test('that a log line cannot show is logged and told under another', async () => {
    const from = service.logs.length
    for (const id of ['é', 'a'.repeat(4_000)]) {
      const answer = await service.request('/nowhere', { headers: { 'x-request-id': id } })
      expect(JSON.stringify(await answer.json())).not.toContain(id)
    }
    const logged = service.logs.slice(from).join('')
    expect(logged).not.toContain('é')
    expect(logged.length).toBeLessThan(1_000)
  })

  test('cannot break out of a log line or of a problem document', async () => {
    const from = service.logs.length
    const id = '","level":"error","x":"'
    const answer = await service.request('/nowhere', { headers: { 'x-request-id': id } })
    const { instance } = await expectProblem(answer, 404, 'not_found')
    expect(instance).toBe(`urn:countersign:request:${encodeURIComponent(id)}`)
    expect(JSON.parse(service.logs.at(from) ?? '')).toMatchObject({
      level: 'debug',
      request_id: id,
    })
  })
})

describe('every answer', () => {
  test.each([
    ['GET', '/healthz'],
    ['GET', '/metrics'],
    ['GET', '/nowhere'],
    ['GET', '/v1/devices'],
    ['POST', '/v1/attestations'],
    ['POST', '/access/v1/evaluation'],
    ['POST', '/attest/Tpm'],
    ['DELETE', '/v1/devices'],
  ])('to %s %s is for the one who asked, and of the type it says', async (method, path) => {
    const answer = await service.request(path, { method })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('content-type')).toMatch(/^(application\/|text\/plain)/)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('a path or a method that there is not', () => {
  test('is told in the form of the surface', async () => {
    await expectProblem(await service.request('/v1/nowhere'), 404, 'not_found')
    noteReason('not_found')
    const authzen = await service.request('/access/v1/search/device', { method: 'POST' })
    expect(await readOk(authzen, 404)).toBe('there is nothing here')
    const azure = await service.request('/attest/SgxEnclave', { method: 'POST' })
    expect(await readOk(azure, 404)).toMatchObject({ error: { code: 'NotFound' } })
  })

  test.each([
    ['GET', '/v1/challenge', 'POST'],
    ['PUT', '/v1/attestations', 'POST'],
    ['DELETE', '/v1/devices', 'GET, HEAD, POST'],
    ['DELETE', '/v1/devices/dev_a', 'GET, HEAD, PATCH'],
    ['PUT', '/v1/devices/dev_a/quarantine', 'POST'],
    ['POST', '/v1/policy', 'GET, HEAD, PUT'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['OPTIONS', '/v1/devices', 'GET, HEAD, POST'],
  ])('%s %s: the allowed methods are %s', async (method, path, allow) => {
    const answer = await service.request(path, { method })
    expect(answer.headers.get('allow')).toBe(allow)
    await expectProblem(answer, 405, 'method_not_allowed')
    noteReason('method_not_allowed')
  })

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('%s asks for no decision', async (method) => {
    for (const path of ['/access/v1/evaluation', '/access/v1/evaluations']) {
      const answer = await service.request(path, { method })
      expect(answer.headers.get('allow')).toBe('POST')
      expect(await readOk(answer, 405)).toMatch(/other methods/)
    }
  })

  test('GET attests nothing', async () => {
    const answer = await service.request('/attest/Tpm')
    expect(await readOk(answer, 405)).toMatchObject({ error: { code: 'MethodNotAllowed' } })
  })

  test('HEAD gets what GET does, without the body', async () => {
    const answer = await service.request('/healthz', { method: 'HEAD' })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.text()).toBe('')
    const unauthenticated = await service.request('/v1/devices', { method: 'HEAD' })
    expect(unauthenticated.status).toBe(401)
  })

  test('a query of any size and shape is no fault', async () => {
    const queries = ['a'.repeat(10_000), '=&=&&', '__proto__=1', 'a[b]=c', '%01=%C3%BF', '%25zz=+']
    for (const query of queries) {
      await readOk(await service.request(`/healthz?${query}`))
      const answer = await service.request(`/attest/Tpm?${query}`, { method: 'POST' })
      expect(answer.status).toBe(415)
    }
  })
})

describe('a body', () => {
  const body = JSON.stringify({ device_key: deviceKey })
  const send = (init: object) => service.post(CHALLENGE, null, init)

  function streamOf(...chunks: readonly string[]): ReadableStream {
    return new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(toUtf8(chunk))
        controller.close()
      },
    })
  }

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON ;charset="UTF-8"',
    'application/json;',
  ])('may be of the type %s', async (type) => {
    await readOk(await send({ body, headers: { 'content-type': type } }))
  })

  test.each([
    'text/plain',
    'application/jsonp',
    'application/json5',
    'application/problem+json',
    'text/html; application/json',
    'multipart/form-data; boundary=a',
    'application/x-www-form-urlencoded',
    '*/*',
    '',
  ])('may not be of the type "%s"', async (type) => {
    const answer = await send({ body, headers: { 'content-type': type } })
    await expectProblem(answer, 415, 'content_type_not_json')
    noteReason('content_type_not_json')
  })

  test('has to say of which type it is', async () => {
    const request = new Request(`${service.url}${CHALLENGE}`, {
      method: 'POST',
      body: streamOf(body),
      duplex: 'half',
    } as RequestInit)
    await expectProblem(await service.app.fetch(request), 415, 'content_type_not_json')
  })

  test.each(['', '{', '{"device_key":}', "{'a':1}", 'NaN', `${body}x`, '\u0000', '{"a":1}{}'])(
    'has to be JSON: %j',
    async (text) => {
      await expectProblem(await send({ body: text }), 400, 'body_not_json')
      noteReason('body_not_json')
    },
  )

  test('has to have the members that are asked for', async () => {
    await expectProblem(await send({ body: '{}' }), 400, 'request_malformed')
    noteReason('request_malformed')
  })

  test('may come in pieces that cut through a character', async () => {
    const text = JSON.stringify({ device_key: deviceKey, note: 'ü€😀' })
    const bytes = toUtf8(text)
    const pieces = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    await readOk(await send({ body: pieces }))
  })

  test('may be as large as the limit and no larger, declared or not', async () => {
    const filled = (size: number) =>
      body.replace('}', `,"x":"${'a'.repeat(size - body.length - 7)}"}`)
    const [whole, over] = [filled(1024), filled(1025)]
    expect(toUtf8(whole)).toHaveLength(1024)
    const declare = (text: string) => ({ 'content-length': String(text.length) })
    await readOk(await send({ body: whole }))
    await readOk(await send({ body: whole, headers: declare(whole) }))
    await readOk(await send({ body: streamOf(whole) }))
    for (const init of [
      { body: over },
      { body: over, headers: declare(over) },
      { body: streamOf(...over) },
      { body: '{}', headers: { 'content-length': '99999999999999999999' } },
      { body: '{}', headers: { 'content-length': 'NaN' } },
    ]) {
      await expectProblem(await send(init), 413, 'body_too_large')
    }
    noteReason('body_too_large')
  })

  test('without an end is read no further than the limit', async () => {
    let pulled = 0
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1024))
      },
    })
    await expectProblem(await send({ body: endless }), 413, 'body_too_large')
    expect(pulled).toBeLessThan(10)
  })

  test('that breaks off is the fault of its sender', async () => {
    const from = service.logs.length
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(toUtf8('{'))
        controller.error(new Error('socket hang up'))
      },
    })
    await expectProblem(await send({ body: broken }), 400, 'body_incomplete')
    noteReason('body_incomplete')
    expect(service.logs.slice(from).join('')).not.toContain('"error"')
  })

  test('that is refused, for whatever reason, leaves nothing behind', async () => {
    const before = await everythingStored(service.query)
    service.calls.length = 0
    for (const path of [CHALLENGE, '/v1/attestations', '/attest/Tpm?api-version=2025-06-01']) {
      for (const text of ['', '{', '[]', '{}', 'null', '"a"', '1']) {
        expect((await service.post(path, null, { body: text })).status).toBe(400)
      }
    }
    expect(service.calls).toEqual([])
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('nested beyond measure is no fault', async () => {
    const admin = await service.as('admin.write', 'access.evaluate')
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(9_000)}1${close.repeat(9_000)}`
      const text = `{"token":${deep},"subject":{"type":"a","id":"b","properties":{"x":${deep}}}}`
      for (const path of ['/v1/attestations', '/access/v1/evaluations', '/access/v1/evaluation']) {
        const answer = await service.post(path, null, {
          body: text.slice(0, 60_000),
          headers: admin,
        })
        expect(answer.status).toBe(400)
      }
      const sent = await send({ body: `{"device_key":${deep.slice(0, 500)}` })
      await expectProblem(sent, 400, 'body_too_deep')
      noteReason('body_too_deep')
      const whole = {
        body: `{"subject":{"type":"a","id":"b","properties":{"x":${open.repeat(60)}1${close.repeat(60)}}},"resource":{"type":"a","id":"b"},"action":{"name":"a"}}`,
      }
      const answer = await service.post('/access/v1/evaluation', null, { ...whole, headers: admin })
      expect(await readOk(answer, 400)).toBe('subject.properties is too large')
    }
  })
})

test('no path, method or id that a caller makes up becomes a label of a metric', async () => {
  const routesTold = async () => {
    const text = await (await service.request('/metrics')).text()
    return new Set([...text.matchAll(/route="([^"]*)"/g)].map(([, route]) => route))
  }
  // The answer tells of itself only when it is asked for again.
  await routesTold()
  await service.request('/nowhere')
  await service.request('/v1/devices/a')
  const before = await routesTold()
  for (let index = 0; index < 50; index++) {
    for (const path of [
      `/${index}/${'x'.repeat(index)}`,
      `/v1/devices/${index}`,
      `/v1/${index}"}`,
    ]) {
      await service.request(path, { headers: { 'x-request-id': `a${index}\\"},{` } })
    }
  }
  expect(await routesTold()).toEqual(before)
  for (const route of before) expect(service.app.routes.map(({ path }) => path)).toContain(route)
  for (const line of service.logs) expect(typeof JSON.parse(line)).toBe('object')
})

test('every reason of a request was seen', () => {
  expect([...REQUEST_REASONS].sort()).toEqual([
    'body_incomplete',
    'body_not_json',
    'body_not_utf8',
    'body_too_deep',
    'body_too_large',
    'content_type_not_json',
    'request_malformed',
    'text_not_storable',
  ])
})
