import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createKeySets, type KeySets } from '../../src/azure/key-sets.ts'
import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import type { Outage } from '../support/azure/outages.ts'
import type { StandInProvider } from '../support/azure/provider.ts'
import { type AzureStandIn, startAzure, trustStandIn } from '../support/azure/stand-in.ts'
import { issueCertificate } from '../support/certificates.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { START, type TestClock, testClock } from '../support/service.ts'
import { describeVectors, vectorText } from '../support/vectors.ts'
import { verifyToken } from '../support/verify-token.ts'
import { certificate, keySetOf } from './policy/provider-fixture.ts'

const ISSUER = 'https://contoso.eus.attest.azure.net'
const OTHER = 'https://fabrikam.weu.attest.azure.net'
const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const next = await issueCertificate({ subject: 'next', key: { kind: 'rsa' } })
const OLD_KEYS = JSON.stringify(keySetOf('old', certificate))
const NEW_KEYS = JSON.stringify(keySetOf('new', next))

let clock: TestClock
let asked: { url: string; init: RequestInit | undefined }[]
/** What the provider does when it is asked. */
let provider: (init: RequestInit | undefined) => Response | Promise<Response>
let keySets: KeySets

const answer = (body: string) => () => new Response(body)
const down = () => Promise.reject(new TypeError('fetch failed'))

beforeEach(() => {
  clock = testClock()
  asked = []
  provider = answer(OLD_KEYS)
  keySets = createKeySets({
    issuers: [ISSUER, OTHER],
    fetch: async (target, init) => {
      asked.push({ url: String(target), init })
      return provider(init)
    },
    clock: clock.now,
    timeoutMs: 200,
  })
})

const find = (kid: string | undefined = 'old', issuer = ISSUER) => keySets.keySetFor(issuer, kid)
const kidsOf = async (kid?: string) => [...expectOk(await find(kid)).keys.keys()]

describe('a key set', () => {
  test('is fetched once from /certs of its issuer, then kept for an hour', async () => {
    expect(await kidsOf()).toEqual(['old'])
    clock.advance(HOUR - 1)
    expect(await kidsOf()).toEqual(['old'])
    expect(asked.map(({ url }) => url)).toEqual([`${ISSUER}/certs`])
    expect(asked[0]?.init).toMatchObject({ redirect: 'manual' })
    clock.advance(1)
    expect(await kidsOf()).toEqual(['old'])
    expect(asked).toHaveLength(2)
  })

  test('is each issuer its own', async () => {
    await find('old', ISSUER)
    await find('old', OTHER)
    expect(asked.map(({ url }) => url)).toEqual([`${ISSUER}/certs`, `${OTHER}/certs`])
  })

  test('is taken whole: keys that are listed no more are gone', async () => {
    await find()
    provider = answer(NEW_KEYS)
    clock.advance(HOUR)
    expect(await kidsOf('new')).toEqual(['new'])
  })

  test('is used for a week while the provider cannot be reached, and no longer', async () => {
    await find()
    provider = down
    clock.advance(7 * DAY)
    expect(await kidsOf()).toEqual(['old'])
    expect(keySets.state(ISSUER)).toMatchObject({ available: false })
    clock.advance(1)
    expectRefusal(await find(), 'key_set_unavailable')
  })

  test('an outage costs one try a minute', async () => {
    await find()
    provider = down
    clock.advance(2 * HOUR)
    for (let second = 0; second < 60; second++) {
      expect(await kidsOf()).toEqual(['old'])
      clock.advance(1)
    }
    expect(asked).toHaveLength(2)
    await find()
    expect(asked).toHaveLength(3)
  })

  test('that was never fetched is asked for again soon', async () => {
    provider = down
    const failure = expectRefusal(await find(), 'key_set_unavailable')
    expect(failure).toEqual({ reason: 'key_set_unavailable', retryAfterSeconds: 2 })
    expectRefusal(await find(), 'key_set_unavailable')
    expect(asked).toHaveLength(1)
    provider = answer(OLD_KEYS)
    clock.advance(2)
    expect(await kidsOf()).toEqual(['old'])
  })
})

describe('a key that is not known', () => {
  test('after a rotation is found by one fetch', async () => {
    await find()
    provider = answer(NEW_KEYS)
    clock.advance(MINUTE)
    expect(await kidsOf('new')).toEqual(['new'])
    expect(asked).toHaveLength(2)
  })

  test('a flood of made-up keys fetches once a minute and gets the known set', async () => {
    await find()
    for (let count = 0; count < 240; count++) {
      expect(await kidsOf(`made-up-${count}`)).toEqual(['old'])
      clock.advance(1)
    }
    // The last look was at 239 s.
    expect(asked).toHaveLength(1 + 3)
  })

  test('a flood that comes at once fetches once', async () => {
    await find()
    clock.advance(MINUTE)
    provider = async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return new Response(NEW_KEYS)
    }
    const flood = Array.from({ length: 200 }, (_, count) => find(`made-up-${count}`))
    const results = await Promise.all([find('new'), ...flood])
    expect(asked).toHaveLength(2)
    for (const result of results) expect([...expectOk(result).keys.keys()]).toEqual(['new'])
  })

  test('is no verdict while the provider cannot be asked: it may be new', async () => {
    await find()
    provider = down
    clock.advance(MINUTE)
    const failure = expectRefusal(await find('new'), 'key_set_unavailable')
    expect(failure.retryAfterSeconds).toBe(60)
    clock.advance(20)
    expect(expectRefusal(await find('new'), 'key_set_unavailable').retryAfterSeconds).toBe(40)
    expect(asked).toHaveLength(2)
    // Who has a known key takes no notice.
    expect(await kidsOf('old')).toEqual(['old'])
  })

  test('is unknown as soon as the provider has answered again', async () => {
    await find()
    provider = down
    clock.advance(MINUTE)
    await find('made-up')
    provider = answer(OLD_KEYS)
    clock.advance(MINUTE)
    expect(await kidsOf('made-up')).toEqual(['old'])
    expect(keySets.state(ISSUER)).toEqual({ fetchedAt: clock.now(), available: true })
  })
})

describe('requests at the same time', () => {
  test('at the first start fetch once and all get the set', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, () => find()))
    expect(asked).toHaveLength(1)
    for (const result of results) expectOk(result)
  })

  test('a refresh holds up only who makes it', async () => {
    await find()
    clock.advance(HOUR)
    let finish = (_: Response) => {}
    provider = () => new Promise((resolve) => (finish = resolve))
    const refreshing = find()
    expect(await kidsOf()).toEqual(['old'])
    finish(new Response(NEW_KEYS))
    expect([...expectOk(await refreshing).keys.keys()]).toEqual(['new'])
  })

  test('a fetch that never ends, as of a request that was cancelled, blocks nobody for long', async () => {
    provider = () => new Promise(() => {})
    void find()
    const waiting = find()
    expectRefusal(await waiting, 'key_set_unavailable')
    provider = answer(OLD_KEYS)
    clock.advance(2)
    expect(await kidsOf()).toEqual(['old'])
  })
})

describe('an answer that is no key set', () => {
  const cases: readonly [string, () => Response][] = [
    ['a redirect', () => new Response(null, { status: 302, headers: { location: OTHER } })],
    ['an error', () => new Response(OLD_KEYS, { status: 500 })],
    ['another success', () => new Response(OLD_KEYS, { status: 203 })],
    ['HTML', () => new Response('<html>')],
    ['nothing', () => new Response(null)],
    ['no keys', () => new Response('{"keys":[]}')],
    ['members twice', () => new Response(`{"keys":[],${OLD_KEYS.slice(1)}`)],
    ['bytes that are no text', () => new Response(new Uint8Array([0xff, 0xfe]))],
    ['more than is read', () => new Response(`${OLD_KEYS}${' '.repeat(524_289)}`)],
  ]
  test.each(cases)('%s is not taken for one', async (_, response) => {
    provider = response
    expectRefusal(await find(), 'key_set_unavailable')
    provider = answer(OLD_KEYS)
    clock.advance(2)
    await find()
    provider = response
    clock.advance(HOUR)
    expect(await kidsOf()).toEqual(['old'])
  })

  test('a body without an end is cut off', async () => {
    let isCancelled = false
    const chunk = new Uint8Array(65_536).fill(0x20)
    provider = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(chunk),
          cancel: () => {
            isCancelled = true
          },
        }),
      )
    expectRefusal(await find(), 'key_set_unavailable')
    expect(isCancelled).toBe(true)
  })

  test('a provider that is too slow is given up', async () => {
    provider = (init) =>
      new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    expectRefusal(await find(), 'key_set_unavailable')
  })
})

test('redirects of a real server are not followed', async () => {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.url)
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const sets = createKeySets({
    issuers: [ISSUER],
    fetch: (target, init) =>
      fetch(String(target).replace(ISSUER, `http://127.0.0.1:${port}`), init),
    clock: clock.now,
    timeoutMs: 2000,
  })
  expectRefusal(await sets.keySetFor(ISSUER, 'old'), 'key_set_unavailable')
  expect(seen).toEqual(['/certs'])
})

describe('at a provider that behaves as Azure does', () => {
  let azure: AzureStandIn
  let real: StandInProvider
  beforeAll(async () => {
    azure = await startAzure({ clock: () => START })
    trustStandIn(azure)
    real = await azure.createProvider()
  })
  afterAll(() => azure.close())

  const listed = async (): Promise<string[]> => {
    const answer = (await (await fetch(`${real.url}/certs`)).json()) as { keys: { kid: string }[] }
    return answer.keys.map(({ kid }) => kid)
  }
  const fetches = () => real.requests.filter(({ path }) => path === '/certs').length

  test('keys of both kinds are found, and rotated ones after one more fetch', async () => {
    const issuers = [real.url]
    const sets = createKeySets({ issuers, fetch, clock: clock.now, timeoutMs: 500 })
    const before = await listed()
    for (const kid of before) {
      const { keys } = expectOk(await sets.keySetFor(real.url, kid))
      expect(keys.has(kid)).toBe(true)
    }
    const [former] = [...expectOk(await sets.keySetFor(real.url, undefined)).keys.values()]
      .map(({ validity }) => validity?.notAfter.getTime() ?? Number.POSITIVE_INFINITY)
      .sort((a, b) => a - b)
    // Azure lists expired keys for months: their end is in the set, for who verifies with them.
    expect(former).toBeLessThan(START.getTime())

    await real.rotateKeys()
    const fresh = (await listed()).find((kid) => !before.includes(kid)) ?? ''
    const count = fetches()
    clock.advance(MINUTE)
    const { keys } = expectOk(await sets.keySetFor(real.url, fresh))
    expect(keys.has(fresh)).toBe(true)
    expect(fetches()).toBe(count + 1)
  })

  test.each<Outage>([
    { kind: 'refuse_connections' },
    { kind: 'hang' },
    { kind: 'cut' },
    { kind: 'status', status: 503 },
  ])('$kind: keys that are known stay, others wait', async (outage) => {
    const [kid = ''] = await listed()
    const sets = createKeySets({ issuers: [real.url], fetch, clock: clock.now, timeoutMs: 2000 })
    expectOk(await sets.keySetFor(real.url, kid))
    real.fail(outage)
    clock.advance(HOUR)
    expectOk(await sets.keySetFor(real.url, kid))
    expectRefusal(await sets.keySetFor(real.url, 'new'), 'key_set_unavailable')
    expect(sets.state(real.url).available).toBe(false)
    real.recover()
    clock.advance(MINUTE)
    expectOk(await sets.keySetFor(real.url, 'new'))
    expect(sets.state(real.url).available).toBe(true)
  })
})

test('nothing but configured issuers is ever asked', async () => {
  const evil = 'https://169.254.169.254'
  await expect(find('old', evil)).rejects.toThrow(TypeError)
  expect(() => keySets.state(evil)).toThrow(TypeError)
  expect(asked).toEqual([])
})

test.each(['http://contoso.eus.attest.azure.net', `${ISSUER}/`, `${ISSUER}?x`, 'contoso', ''])(
  'an issuer must be an https origin, not %j',
  (issuer) => {
    const input = { issuers: [issuer], fetch, clock: clock.now, timeoutMs: 1 }
    expect(() => createKeySets(input)).toThrow(TypeError)
  },
)

test('before the first fetch nothing is known and nothing is wrong', () => {
  expect(keySets.state(ISSUER)).toEqual({ fetchedAt: undefined, available: true })
})

describeVectors('real key sets', () => {
  test('verify real tokens', async () => {
    const issuer = 'https://sharedwus.wus.attest.azure.net'
    const sets = createKeySets({
      issuers: [issuer],
      fetch: async () => new Response(vectorText('maa/jwks/jwks-wus-shared-2022-11-17.json')),
      clock: clock.now,
      timeoutMs: 2000,
    })
    const name = 'SimpleAttest-SgxEnclave_Shared--1-POST-attest_SgxEnclave'
    const token = vectorText(`maa/tokens/${name}.jwt`).trim()
    const kid = 'XxRc2vLh1E5FrsNawnRH3PzuFgqg3q7NvCdnjoJHBGE='
    const keys = expectOk(await sets.keySetFor(issuer, kid))
    const hash = asAttestationPolicyHash('ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc')
    const verified = await verifyToken(token, {
      issuers: [{ issuer, keys, attestationPolicyHashes: [hash] }],
      now: new Date('2022-11-17T20:30:00Z'),
      maxAgeSeconds: 3600,
      clockSkewSeconds: 60,
    })
    expect(expectOk(verified).attestationType).toBe('sgx')
  })
})
