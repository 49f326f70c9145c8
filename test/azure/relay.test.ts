import { describe, expect, test } from 'vitest'
import { CredentialError } from '../../src/azure/credential-error.ts'
import { FAILURES_TO_OPEN, MAX_ATTEMPTS } from '../../src/azure/limits.ts'
import { type AzureRelayInput, createAzureRelay } from '../../src/azure/relay.ts'
import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { START, testClock } from '../support/service.ts'

/** The provider answers in memory; test/azure/relay-network.test.ts asks one over the network. */
const PROVIDER = 'https://contoso.eus.attest.azure.net'
const CHALLENGE = '{"payload":{"challenge":"AAAA","service_context":"BBBB"}}'
const REPORT = `{"payload":{"report":"${[
  toBase64Url(toUtf8('{"alg":"RS256"}')),
  toBase64Url(toUtf8('{}')),
  'c2ln',
].join('.')}"}}`
const INIT = { kind: 'init' } as const
const REQUEST = { kind: 'request', request: 'a.b.c' } as const

type Answer = () => Response | Promise<Response>

const answer = (inner: string) => () => Response.json({ data: toBase64Url(toUtf8(inner)) })
const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Answer =>
  () =>
    new Response(body, { status: code, headers })
const azureError = (code: string, message = 'x') => JSON.stringify({ error: { code, message } })
const nodeError = (code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
const broken = () => Promise.reject(nodeError('UND_ERR_SOCKET'))
const unconnected = () => Promise.reject(nodeError('ECONNREFUSED'))

/** A relay to a provider that gives the answers in turn, and the last one from then on. */
function connect(answers: readonly Answer[], input: Partial<AzureRelayInput> = {}) {
  const clock = testClock()
  const waits: number[] = []
  let asked = 0
  let next = 0
  let turns = answers
  const relay = createAzureRelay({
    url: PROVIDER,
    credential: undefined,
    scope: 'https://attest.azure.net/.default',
    timeoutMs: 10_000,
    clock: clock.now,
    random: () => 0.5,
    wait: async (ms) => {
      waits.push(ms)
      clock.advance(ms / 1000)
    },
    fetch: async () => {
      asked += 1
      const give = turns[Math.min(next, turns.length - 1)]
      next += 1
      if (give === undefined) throw new Error('no answer')
      return await give()
    },
    ...input,
  })
  const answerWith = (...given: readonly Answer[]) => {
    turns = given
    next = 0
  }
  return { relay, clock, waits, asked: () => asked, answerWith }
}

describe('a message', () => {
  test('goes out with nothing in it but what the protocol needs', async () => {
    const sent: string[] = []
    const { relay } = connect([], {
      fetch: async (_url, init) => {
        const body = await new Response(init?.body as BodyInit).json()
        sent.push(Buffer.from(body.data, 'base64url').toString())
        return sent.length === 1 ? answer(CHALLENGE)() : answer(REPORT)()
      },
    })
    await relay.attestTpm(INIT)
    await relay.attestTpm(REQUEST)
    expect(sent).toEqual(['{"payload":{"type":"aikcert"}}', '{"payload":{"request":"a.b.c"}}'])
  })

  test('is answered by a challenge or a report', async () => {
    const { relay } = connect([answer(CHALLENGE), answer(REPORT)])
    expect(expectOk(await relay.attestTpm(INIT))).toBe(CHALLENGE)
    expect(expectOk(await relay.attestTpm(REQUEST))).toBe(REPORT)
    expect(relay.url).toBe(PROVIDER)
    expect(relay.state()).toEqual({ available: true, since: undefined })
  })

  test('that gets the answer to the other one got a malformed answer', async () => {
    const { relay } = connect([answer(REPORT), answer(CHALLENGE)])
    expectRefusal(await relay.attestTpm(INIT), 'provider_answer_malformed')
    expectRefusal(await relay.attestTpm(REQUEST), 'provider_answer_malformed')
  })

  test.each([
    [400, azureError('PolicyEvaluationError'), 'provider_refused'],
    [400, '<html>proxy</html>', 'provider_answer_malformed'],
    [400, '', 'provider_answer_malformed'],
    [401, azureError('Unauthorized'), 'provider_credential_refused'],
    [403, '', 'provider_credential_refused'],
    [404, '', 'provider_failed'],
    [408, '', 'provider_timed_out'],
    [413, '', 'provider_refused'],
    [429, '', 'provider_throttled'],
    [500, azureError('InternalError'), 'provider_failed'],
    [503, '', 'provider_failed'],
    [201, '{}', 'provider_answer_malformed'],
    [302, '', 'provider_answer_malformed'],
  ] as const)('that is answered by %i %j fails', async (code, body, reason) => {
    const { relay } = connect([status(code, {}, body)])
    expectRefusal(await relay.attestTpm(REQUEST), reason)
  })
})

describe('of a failure', () => {
  test('our own words are kept and nothing of Azure but a known code and its request id', async () => {
    const headers = { 'x-ms-request-id': 'z+D/pu5O40CjI1qh', 'x-ms-maa-service-version': '1.11' }
    const body = azureError('PolicyEvaluationError', 'C:\\enclave\\trace\r\nhost')
    const { relay } = connect([status(400, headers, body)])
    expect(expectRefusal(await relay.attestTpm(REQUEST), 'provider_refused')).toEqual({
      reason: 'provider_refused',
      code: 'PolicyEvaluationError',
      providerRequestId: 'z+D/pu5O40CjI1qh',
    })
  })

  test.each(['<script>', 'a b', 'x'.repeat(129), 'é'])(
    'a request id like %j is dropped',
    async (id) => {
      const headers = { 'x-ms-request-id': id }
      const { relay } = connect([status(400, headers, azureError('SomethingNew'))])
      expect(expectRefusal(await relay.attestTpm(REQUEST), 'provider_refused')).toEqual({
        reason: 'provider_refused',
      })
    },
  )

  test('the wait is told, in seconds or from a date', async () => {
    const at = new Date(START.getTime() + 40_000).toUTCString()
    for (const header of ['40', at]) {
      const { relay } = connect([status(429, { 'retry-after': header })])
      const failure = expectRefusal(await relay.attestTpm(REQUEST), 'provider_throttled')
      expect(failure.retryAfterSeconds).toBe(40)
    }
  })
})

describe('a repeat', () => {
  test.each([
    ['a cut connection', broken],
    ['no connection', unconnected],
    ['an error of the server', status(500)],
    ['throttling', status(429)],
    ['a time-out on the way', status(408)],
  ])('of an initial message comes after %s', async (_, failing) => {
    const { relay, asked, waits } = connect([failing, failing, answer(CHALLENGE)])
    expect(expectOk(await relay.attestTpm(INIT))).toBe(CHALLENGE)
    expect([asked(), waits]).toEqual([3, [150, 300]])
  })

  test.each([
    ['a cut connection', broken],
    ['an error of the server', status(500)],
    ['throttling', status(429)],
  ])('of a request never comes after %s, as it may have been processed', async (_, failing) => {
    const { relay, asked } = connect([failing])
    expect((await relay.attestTpm(REQUEST)).ok).toBe(false)
    expect(asked()).toBe(1)
  })

  test('of a request comes when it cannot have been sent', async () => {
    const { relay, asked } = connect([unconnected, answer(REPORT)])
    expect(expectOk(await relay.attestTpm(REQUEST))).toBe(REPORT)
    expect(asked()).toBe(2)
  })

  test('of a request comes when there was no token yet', async () => {
    let calls = 0
    const getToken = async () => {
      calls += 1
      if (calls === 1) throw new CredentialError({ reason: 'provider_unreachable' })
      return { token: 't', expiresOnTimestamp: 4e12 }
    }
    const { relay, asked } = connect([answer(REPORT)], { credential: { getToken } })
    expect(expectOk(await relay.attestTpm(REQUEST))).toBe(REPORT)
    expect([calls, asked()]).toEqual([2, 1])
  })

  test.each([
    ['a refusal', status(400, {}, azureError('InvalidParameter'))],
    ['a refused credential', status(401)],
    ['a malformed answer', status(200, {}, 'x')],
    ['a redirect', status(302)],
  ])('never comes after %s', async (_, failing) => {
    const { relay, asked } = connect([failing])
    expect((await relay.attestTpm(INIT)).ok).toBe(false)
    expect(asked()).toBe(1)
  })

  test('waits as asked, and does not come when that is too long', async () => {
    const soon = connect([status(429, { 'retry-after': '2' }), answer(CHALLENGE)])
    expectOk(await soon.relay.attestTpm(INIT))
    expect(soon.waits).toEqual([2150])
    const late = connect([status(429, { 'retry-after': '60' })])
    const failure = expectRefusal(await late.relay.attestTpm(INIT), 'provider_throttled')
    expect([late.asked(), failure.retryAfterSeconds]).toEqual([1, 60])
  })

  test('comes thrice in all and no more', async () => {
    const { relay, asked } = connect([broken])
    expectRefusal(await relay.attestTpm(INIT), 'provider_unreachable')
    expect(asked()).toBe(3)
  })
})

describe('a provider that fails', () => {
  /** Between its tries no time passes. */
  const open = (answers: readonly Answer[]) => connect(answers, { wait: async () => {} })

  async function fail(world: ReturnType<typeof connect>, times: number) {
    for (let failure = 0; failure < times; failure += 1) await world.relay.attestTpm(INIT)
  }

  test('again and again is left alone, and the state says since when', async () => {
    const world = open([broken])
    await fail(world, FAILURES_TO_OPEN - 1)
    expect(world.relay.state().available).toBe(true)
    world.clock.advance(60)
    await fail(world, 1)
    expect(world.relay.state()).toEqual({ available: false, since: START })
    const failure = expectRefusal(await world.relay.attestTpm(INIT), 'provider_circuit_open')
    expect(failure.retryAfterSeconds).toBe(5)
    expect(world.asked()).toBe(FAILURES_TO_OPEN * MAX_ATTEMPTS)
  })

  test('is tried again after its cool-down and is available when that succeeds', async () => {
    const world = open([broken])
    await fail(world, FAILURES_TO_OPEN)
    world.clock.advance(5)
    world.answerWith(answer(CHALLENGE))
    expectOk(await world.relay.attestTpm(INIT))
    expect(world.relay.state()).toEqual({ available: true, since: undefined })
  })

  test('gets one trial at a time', async () => {
    const world = open([broken])
    await fail(world, FAILURES_TO_OPEN)
    world.clock.advance(5)
    let finish = (_: Response) => {}
    const held = new Promise<Response>((resolve) => {
      finish = resolve
    })
    world.answerWith(() => held)
    const trial = world.relay.attestTpm(INIT)
    expectRefusal(await world.relay.attestTpm(INIT), 'provider_circuit_open')
    finish(answer(CHALLENGE)())
    expectOk(await trial)
  })

  test('is left alone for as long as it asks', async () => {
    const world = open([status(503, { 'retry-after': '120' })])
    await fail(world, FAILURES_TO_OPEN)
    world.clock.advance(119)
    const failure = expectRefusal(await world.relay.attestTpm(INIT), 'provider_circuit_open')
    expect(failure.retryAfterSeconds).toBe(1)
  })

  test('is not one that is asked for too much', async () => {
    const world = open([status(429, { 'retry-after': '120' })])
    await fail(world, FAILURES_TO_OPEN * 3)
    expect(world.relay.state().available).toBe(true)
    world.answerWith(answer(CHALLENGE))
    expectOk(await world.relay.attestTpm(INIT))
  })

  test.each([
    ['a cut connection', broken],
    ['an error of the server', status(500)],
    ['silence', () => Promise.reject(new DOMException('late', 'AbortError'))],
    ['an answer of another form', status(200, {}, 'x')],
    ['a refused credential', status(401)],
  ])('is not told by requests that an agent made to end in %s', async (_, failing) => {
    const world = open([failing])
    for (let tries = 0; tries < FAILURES_TO_OPEN * 3; tries += 1) {
      expect((await world.relay.attestTpm(REQUEST)).ok).toBe(false)
    }
    expect(world.relay.state()).toEqual({ available: true, since: undefined })
    world.answerWith(answer(CHALLENGE))
    expectOk(await world.relay.attestTpm(INIT))
  })

  test('is not back because a request was answered, and gets none meanwhile', async () => {
    const world = open([broken])
    await fail(world, FAILURES_TO_OPEN)
    world.answerWith(answer(REPORT))
    expectRefusal(await world.relay.attestTpm(REQUEST), 'provider_circuit_open')
    world.clock.advance(5)
    expectRefusal(await world.relay.attestTpm(REQUEST), 'provider_circuit_open')
    world.answerWith(answer(CHALLENGE))
    expectOk(await world.relay.attestTpm(INIT))
    world.answerWith(answer(REPORT))
    expectOk(await world.relay.attestTpm(REQUEST))
  })

  test('is not one that refuses evidence', async () => {
    const world = open([status(400, {}, azureError('PolicyEvaluationError'))])
    await fail(world, FAILURES_TO_OPEN * 3)
    expect(world.relay.state().available).toBe(true)
    world.answerWith(broken)
    await fail(world, FAILURES_TO_OPEN - 1)
    world.answerWith(status(400, {}, azureError('InvalidParameter')))
    await fail(world, 1)
    world.answerWith(broken)
    await fail(world, FAILURES_TO_OPEN - 1)
    expect(world.relay.state().available, 'a refusal is a sign of life').toBe(true)
  })

  test('a fault of our own opens nothing for ever', async () => {
    const random = () => {
      throw new RangeError('our own')
    }
    const world = connect([broken], { random })
    await expect(world.relay.attestTpm(INIT)).rejects.toThrow('our own')
    world.answerWith(answer(CHALLENGE))
    expectOk(await world.relay.attestTpm(INIT))
  })
})

test.each([
  'http://contoso.eus.attest.azure.net',
  'https://contoso.eus.attest.azure.net/',
  'https://contoso.eus.attest.azure.net/path',
  'https://user@contoso.eus.attest.azure.net',
])('%s names no provider', (url) => {
  expect(() => connect([], { url })).toThrow(TypeError)
})
