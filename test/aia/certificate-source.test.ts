import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type CertificateSource,
  createCertificateSource,
  type Sourced,
} from '../../src/aia/certificate-source.ts'
import { readAiaPlace } from '../../src/aia/hosts.ts'
import {
  FETCH_BURST,
  REFUSED_PAUSE_MS,
  UNANSWERED_PAUSE_MS,
  UNPROVEN_MS,
} from '../../src/aia/limits.ts'
import { type AiaServer, startAiaServer } from '../support/aia-server.ts'
import { issueCertificate } from '../support/certificates.ts'
import { type TestClock, testClock } from '../support/service.ts'

const HERE = 'http://ca.example.com/ca.crt'
const places = [readAiaPlace('ca.example.com') ?? expect.fail('no place')]
let server: AiaServer
let der: Uint8Array
let clock: TestClock
let source: CertificateSource

beforeAll(async () => {
  server = await startAiaServer()
  der = (await issueCertificate({ subject: 'CA', ca: true })).der
})
afterAll(() => server?.close())
beforeEach(() => {
  server.asked.length = 0
  server.serve(HERE, der)
  clock = testClock()
  source = createCertificateSource({ places, fetch: server.fetch, clock: clock.now })
})

function ask(url = HERE, caller: { deadline?: AbortSignal; begin?: () => boolean } = {}) {
  const deadline = AbortSignal.timeout(10_000)
  return source.certificatesAt(url, { deadline, begin: () => true, ...caller })
}

const waitOf = (sourced: Sourced) =>
  sourced.kind === 'unavailable' ? sourced.retryAfterMs : expect.fail(sourced.kind)

test('a URL that is not on the list is never asked for', async () => {
  expect(await ask('http://other.example.com/ca.crt')).toEqual({ kind: 'not_allowed' })
  expect(server.asked).toEqual([])
})

test('however many ask for a URL at once, one fetch answers them all', async () => {
  const sourced = await Promise.all(Array.from({ length: 20 }, () => ask()))
  expect(sourced.map(({ kind }) => kind)).toEqual(Array(20).fill('certificates'))
  expect(server.asked).toEqual([HERE])
})

test('what came is remembered for a while, and by none of its fragments twice', async () => {
  await ask()
  await ask(`${HERE}#again`)
  clock.advance(UNPROVEN_MS / 1000 - 1)
  await ask()
  expect(server.asked).toHaveLength(1)
  clock.advance(1)
  await ask()
  expect(server.asked).toHaveLength(2)
})

test('a place that answers something else is left alone for a while, and its callers are told', async () => {
  server.serve(HERE, Buffer.from('no certificate'))
  expect(waitOf(await ask())).toBe(REFUSED_PAUSE_MS)
  clock.advance(20)
  expect(waitOf(await ask())).toBe(REFUSED_PAUSE_MS - 20_000)
  expect(server.asked).toHaveLength(1)
  server.serve(HERE, der)
  clock.advance(REFUSED_PAUSE_MS / 1000)
  expect(await ask()).toMatchObject({ kind: 'certificates' })
})

test('a place in trouble is asked again sooner', async () => {
  server.serve(HERE, (_, response) => response.writeHead(503).end())
  expect(waitOf(await ask())).toBe(UNANSWERED_PAUSE_MS)
  clock.advance(UNANSWERED_PAUSE_MS / 1000)
  server.serve(HERE, der)
  expect(await ask()).toMatchObject({ kind: 'certificates' })
})

test('a clock that is set back keeps nothing for ever', async () => {
  server.serve(HERE, Buffer.from('no certificate'))
  await ask()
  server.serve(HERE, der)
  clock.advance(-3600)
  expect(await ask()).toMatchObject({ kind: 'certificates' })
})

describe('a caller', () => {
  test('that has no time left says nothing about the place to others', async () => {
    let answerNow = () => {}
    const isAsked = new Promise<void>((resolve) => {
      server.serve(HERE, (_, response) => {
        answerNow = () => response.writeHead(200).end(der)
        resolve()
      })
    })
    const controller = new AbortController()
    const impatient = ask(HERE, { deadline: controller.signal })
    await isAsked
    controller.abort()
    expect(waitOf(await impatient)).toBe(1000)
    answerNow()
    server.serve(HERE, der)
    expect(await ask()).toMatchObject({ kind: 'certificates' })
  })

  test('that waits for the fetch of another one waits no longer than it may', async () => {
    const first = new AbortController()
    const isAsked = new Promise<void>((resolve) => server.serve(HERE, () => resolve()))
    const fetching = ask(HERE, { deadline: first.signal })
    await isAsked
    const waiting = await ask(HERE, { deadline: AbortSignal.abort() })
    expect(waiting.kind).toBe('unavailable')
    first.abort()
    await fetching
    expect(server.asked).toHaveLength(1)
  })

  test('that may begin no fetch uses what others fetched', async () => {
    expect(waitOf(await ask(HERE, { begin: () => false }))).toBe(1000)
    expect(server.asked).toEqual([])
    await ask()
    expect(await ask(HERE, { begin: () => false })).toMatchObject({ kind: 'certificates' })
  })
})

describe('whoever invents URLs without end', () => {
  test('spends a budget of this process, and then nothing is fetched for a while', async () => {
    for (let count = 0; count < FETCH_BURST; count++) await ask(`http://ca.example.com/${count}`)
    expect(server.asked).toHaveLength(FETCH_BURST)
    expect(waitOf(await ask())).toBe(2000)
    expect(server.asked).toHaveLength(FETCH_BURST)
    clock.advance(2)
    expect(await ask()).toMatchObject({ kind: 'certificates' })
    expect(waitOf(await ask('http://ca.example.com/more'))).toBeGreaterThan(0)
  })

  test('cannot push out what is under way', async () => {
    server.serve(HERE, () => undefined)
    const controller = new AbortController()
    const slow = ask(HERE, { deadline: controller.signal })
    for (let count = 0; count < 100; count++) {
      await ask(`http://ca.example.com/${count}`)
      clock.advance(0.04)
    }
    expect(server.asked.filter((url) => url === HERE)).toHaveLength(1)
    controller.abort()
    await slow
  })
})
