import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { err, ok } from '../../src/base/result.ts'
import { type LoopbackAgent, startLoopbackAgent } from '../../src/simulator/loopback-agent.ts'

/**
 * Whom the agent answers on the loopback address. What a browser lets a page send and read is held by the
 * test of the page in Chromium; here is what other programs, and other pages, get.
 */

const ORIGIN = 'https://pdp.example'
const RIGHT = { origin: ORIGIN, 'content-type': 'application/json' }
const proven: string[] = []
let agent: LoopbackAgent

beforeAll(async () => {
  agent = await startLoopbackAgent({
    port: 0,
    origin: ORIGIN,
    async prove(signInId) {
      proven.push(signInId)
      if (signInId !== 'sin_good') {
        return err({ reason: 'agent_service_unreachable', step: 'sign-in', detail: 'x' })
      }
      return ok({ ticket: 'ticket', continue_url: `${ORIGIN}/sign-in/sin_good/continue` })
    },
  })
})
afterAll(() => agent.close())

type Asked = {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function ask(asked: Asked) {
  const {
    method = 'POST',
    path = '/sign-in',
    headers = RIGHT,
    body = '{"sign_in":"sin_good"}',
  } = asked
  return new Promise<{ status: number | undefined; allowed: string | undefined; body: string }>(
    (resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: agent.port, method, path, headers },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8')
          answer.on('data', (part: string) => {
            text += part
          })
          answer.on('end', () => {
            const allowed = answer.headers['access-control-allow-origin']
            resolve({ status: answer.statusCode, allowed, body: text })
          })
        },
      )
      sent.on('error', reject)
      sent.end(method === 'POST' ? body : undefined)
    },
  )
}

describe('an agent on the loopback address', () => {
  test('gives a page of its service the ticket, and nothing that a page could be led by', async () => {
    expect(await ask({})).toEqual({ status: 200, allowed: ORIGIN, body: '{"ticket":"ticket"}' })
  })

  test('lets no other page read an answer, whichever asks', async () => {
    const preflight = { ...RIGHT, origin: 'https://evil.example' }
    const { status, allowed } = await ask({ method: 'OPTIONS', headers: preflight })
    expect({ status, allowed }).toEqual({ status: 403, allowed: ORIGIN })
    expect((await ask({ method: 'OPTIONS' })).status).toBe(204)
  })

  test.each<[string, number, Asked]>([
    ['another page', 403, { headers: { ...RIGHT, origin: 'https://evil.example' } }],
    ['a page of another port', 403, { headers: { ...RIGHT, origin: `${ORIGIN}:444` } }],
    ['a page without TLS', 403, { headers: { ...RIGHT, origin: 'http://pdp.example' } }],
    ['a sandboxed page', 403, { headers: { ...RIGHT, origin: 'null' } }],
    ['whoever says no origin', 403, { headers: { 'content-type': 'application/json' } }],
    ['a name that leads here', 403, { headers: { ...RIGHT, host: 'evil.example' } }],
    [
      'a form, which no page has to ask for',
      415,
      { headers: { ...RIGHT, 'content-type': 'text/plain' } },
    ],
    ['another path', 404, { path: '/' }],
    ['another method', 405, { method: 'GET' }],
    ['what is no JSON', 400, { body: '{' }],
    ['more members', 400, { body: '{"sign_in":"sin_good","url":"https://evil.example"}' }],
    ['too long a body', 400, { body: `{"sign_in":"${'x'.repeat(2000)}"}` }],
  ])('proves nothing for %s', async (_name, status, asked) => {
    const before = proven.length
    expect((await ask(asked)).status).toBe(status)
    expect(proven).toHaveLength(before)
  })

  test('says so where the device could not be proven', async () => {
    const answer = await ask({ body: '{"sign_in":"sin_other"}' })
    expect(answer.status).toBe(502)
    expect(answer.body).toBe('{"reason":"agent_service_unreachable"}')
  })
})
