import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { ServiceClient, type ServiceClientOptions } from '../../src/simulator/service-client.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const request = { step: 'challenge', path: '/v1/challenge', body: {}, repeatable: true } as const

/** A client of a service that gives these answers in turn, and the last one for ever. */
function connect(
  answers: readonly (() => Response | Promise<Response>)[],
  options: Partial<ServiceClientOptions> = {},
) {
  const seen: Request[] = []
  const fetch = async (sent: Request) => {
    seen.push(sent)
    const answer = answers[Math.min(seen.length, answers.length) - 1]
    if (answer === undefined) throw new TypeError('no answer')
    return await answer()
  }
  return { seen, client: new ServiceClient({ baseUrl: 'http://service.test/', ...options, fetch }) }
}

function busy(status: number, retryAfter?: string) {
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
  return () => new Response('{"code":"too_many_requests"}', { status, headers })
}

const good = () => Response.json({ fine: true })

describe('a client of a busy service', () => {
  test('waits as long as it is told and tries again', async () => {
    const waited: [ms: number, before: number][] = []
    const wait = async (ms: number) => void waited.push([ms, seen.length])
    const { client, seen } = connect([busy(429, '7'), busy(503, '0'), good], { wait })
    expect(expectOk(await client.post(request))).toEqual({ fine: true })
    expect(waited).toEqual([
      [7000, 1],
      [0, 2],
    ])
    expect(seen.map(({ url }) => url)).toEqual(Array(3).fill('http://service.test/v1/challenge'))
  })

  test('understands a date and waits no longer than needed', async () => {
    const { client } = connect([busy(503, new Date(0).toUTCString()), good])
    expectOk(await client.post(request))
  })

  test('sends the same headers with each try: a proof stands for one submission', async () => {
    const { client, seen } = connect([busy(503, '0'), good])
    const headers = { dpop: 'proof' }
    expectOk(await client.post({ ...request, headers, repeatable: false }))
    expect(seen.map((sent) => sent.headers.get('dpop'))).toEqual(['proof', 'proof'])
  })

  test('follows a service through an outage, and longer than one that cannot be reached', async () => {
    const wait = async () => undefined
    const { client, seen } = connect([...Array<() => Response>(20).fill(busy(503, '3')), good], {
      wait,
    })
    expectOk(await client.post(request))
    expect(seen).toHaveLength(21)
  })

  test('gives up after its tries, with the code of the service', async () => {
    const { client, seen } = connect([busy(429, '0')], { maxAttempts: 3 })
    const failure = expectRefusal(await client.post(request), 'agent_request_refused')
    expect(failure).toMatchObject({ status: 429, code: 'too_many_requests', step: 'challenge' })
    expect(failure).toMatchObject({ tries: 3 })
    expect(seen).toHaveLength(3)
  })

  test('does not wait for hours', async () => {
    const { client, seen } = connect([busy(429, '7200')])
    expectRefusal(await client.post(request), 'agent_request_refused')
    expect(seen).toHaveLength(1)
  })

  test('stops waiting when it is cancelled', async () => {
    const cancel = new AbortController()
    const { client } = connect([busy(429, '9')], { signal: cancel.signal })
    const sent = client.post(request)
    setTimeout(() => cancel.abort(), 20)
    expectRefusal(await sent, 'agent_cancelled')
  })
})

describe('a client of a service that cannot be reached', () => {
  const refuse = () => Promise.reject(new TypeError('fetch failed', { cause: new Error('ECONN') }))

  test('repeats what may be repeated and says what was wrong', async () => {
    const { client, seen } = connect([refuse], { maxAttempts: 2 })
    const failure = expectRefusal(await client.post(request), 'agent_service_unreachable')
    expect(failure).toMatchObject({ detail: 'ECONN' })
    expect(seen).toHaveLength(2)
  })

  test('does not repeat a submission whose fate is unknown', async () => {
    const { client, seen } = connect([refuse])
    const sent = await client.post({ ...request, step: 'submission', repeatable: false })
    expectRefusal(sent, 'agent_service_unreachable')
    expect(seen).toHaveLength(1)
  })

  test('does not wait for ever', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as AddressInfo
    const baseUrl = `http://127.0.0.1:${port}`
    const client = new ServiceClient({ baseUrl, timeoutMs: 50, maxAttempts: 1 })
    expectRefusal(await client.post(request), 'agent_request_timeout')
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })
})

describe('what a service says when it refuses', () => {
  test.each([
    ['a problem document', { code: 'nonce_spent', detail: 'spent' }, 'nonce_spent'],
    ['an Azure error', { error: { code: 'InvalidParameter', message: 'no' } }, 'InvalidParameter'],
    [
      'an Azure error with an inner one',
      { error: { code: 'InvalidParameter', innererror: { code: 'Quote', message: 'no' } } },
      'Quote',
    ],
    ['something else', ['nothing'], undefined],
  ])('%s', async (_name, body, code) => {
    const { client } = connect([() => Response.json(body, { status: 400 })])
    const failure = expectRefusal(await client.post(request), 'agent_request_refused')
    expect(failure).toMatchObject({ status: 400, code })
  })

  test('an answer that is not JSON is malformed', async () => {
    const { client } = connect([() => new Response('<html>')])
    expectRefusal(await client.post(request), 'agent_answer_malformed')
  })
})
