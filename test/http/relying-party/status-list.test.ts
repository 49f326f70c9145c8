import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepStatusList } from '../../../src/operations/status-list/keep-list.ts'
import type { Store } from '../../../src/store/store.ts'
import { StoreError } from '../../../src/store/store-error.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  START,
  startDevice,
  type TestService,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const PATH = '/v1/status-list'
const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
afterAll(() => database.close())

const get = (headers: Readonly<Record<string, string>> = {}, at: TestService = service) =>
  at.request(PATH, { headers })
const keep = () => database.serve(() => keepStatusList(service.services))

describe('the list of statuses over HTTP', () => {
  beforeAll(async () => {
    clock.set(START)
    await keep()
  })

  test('is given to anybody, as the media type of the draft (§8.2), and may be kept until it ends', async () => {
    const response = await get()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/statuslist+jwt')
    expect(response.headers.get('cache-control')).toBe('public, max-age=900')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('vary')).toBe('accept-encoding')
    const { sub, exp, iat = 0 } = decodeJwt(await response.text())
    expect([sub, exp]).toEqual([`${service.url}${PATH}`, iat + 900])
  })

  test('goes out compressed to who takes gzip, and is the same', async () => {
    const plain = await (await get()).text()
    for (const accepted of ['gzip', 'br, GZIP;q=0.5', '*', 'x-gzip']) {
      const response = await get({ 'accept-encoding': accepted })
      expect(response.headers.get('content-encoding')).toBe('gzip')
      const inflated = new Blob([await response.arrayBuffer()])
        .stream()
        .pipeThrough(new DecompressionStream('gzip'))
      expect(await new Response(inflated).text()).toBe(plain)
    }
    for (const accepted of ['identity', 'gzip;q=0', 'gzip; q=0.000', 'br', '']) {
      const response = await get({ 'accept-encoding': accepted })
      expect(response.headers.get('content-encoding')).toBeNull()
      expect(await response.text()).toBe(plain)
    }
  })

  test('is not sent again to who has it, in either encoding (RFC 9110 §13.1.2)', async () => {
    const tag = (await get()).headers.get('etag') ?? ''
    const zipped = (await get({ 'accept-encoding': 'gzip' })).headers.get('etag') ?? ''
    expect(tag).toMatch(/^"[\w-]{22}"$/)
    expect(zipped).toBe(tag.replace(/"$/, '-gzip"'))
    for (const names of [tag, `"other", ${zipped}`, `W/${tag}`, '*']) {
      const response = await get({ 'if-none-match': names })
      expect(response.status).toBe(304)
      expect(await response.text()).toBe('')
      expect(response.headers.get('etag')).toBe(tag)
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200)
    clock.advance(300)
    await keep()
    const newer = await get({ 'if-none-match': tag })
    expect(newer.status).toBe(200)
    expect(newer.headers.get('etag')).not.toBe(tag)
  })

  test('reads no device: one small statement every few seconds, whoever asks how often', async () => {
    await get()
    service.calls.length = 0
    clock.advance(5)
    for (let turn = 0; turn < 10; turn++) expect((await get()).status).toBe(200)
    expect(service.calls).toEqual(['signedStatusList'])
  })

  test('is kept for less, the older it is, and no longer than its ttl', async () => {
    await keep()
    clock.advance(300)
    await keep()
    clock.advance(899)
    expect((await get()).headers.get('cache-control')).toBe('public, max-age=1')
    clock.advance(1)
    const response = await get()
    expect(response.headers.get('retry-after')).toBe('30')
    await expectProblem(response, 503, 'status_list_unavailable')
    await keep()
    expect((await get()).status).toBe(200)
  })

  test('is given while the database is away too, until it ends', async () => {
    let isAway = false
    const wrap = (store: Store): Store => ({
      ...store,
      signedStatusList: async (known) => {
        if (!isAway) return store.signedStatusList(known)
        throw new StoreError(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))
      },
    })
    const other = await createTestService({ database, clock, wrap })
    await keep()
    expect((await get({}, other)).status).toBe(200)
    isAway = true
    for (const _ of [1, 2]) {
      clock.advance(300)
      expect((await get({}, other)).status).toBe(200)
    }
    clock.advance(300)
    expect((await get({}, other)).status).toBe(503)
    await keep()
  })

  test('of another time is not there (§8.4)', async () => {
    const response = await service.request(`${PATH}?time=1686925000`)
    await expectProblem(response, 501, 'status_list_history_absent')
  })

  test('and its index in the token of a device are not there where there is no list', async () => {
    const env = { STATUS_LIST_TTL_SECONDS: '0' }
    const without = await createTestService({ database, clock, env })
    await expectProblem(await get({}, without), 404, 'not_found')
    const device = await startDevice()
    const accepted = expectOk(await without.agentOf(device).attest())
    expect(decodeJwt(accepted.device_token)).not.toHaveProperty('status')
    await database.serve(() => keepStatusList(without.services))
    expect(without.calls).not.toContain('unlistedDevices')
  })
})

test('the token of a device names its index, which stays the same', async () => {
  const device = await startDevice()
  const claims = []
  for (let turn = 0; turn < 2; turn++) {
    const accepted = expectOk(await service.agentOf(device).attest())
    claims.push(decodeJwt(accepted.device_token).status)
    clock.advance(60)
  }
  const idx = expect.any(Number)
  expect(claims[0]).toEqual({ status_list: { idx, uri: `${service.url}${PATH}` } })
  expect(claims[1]).toEqual(claims[0])
})
