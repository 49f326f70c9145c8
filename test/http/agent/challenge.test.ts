import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { fromBase64Url, toBase64 } from '../../../src/base/encoding.ts'
import { NONCE_BYTES, openNonce } from '../../../src/evidence/nonce.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())

const deviceKey = randomBytes(32)
const body = { device_key: toBase64(deviceKey) }

test('a challenge is a fresh nonce for one device key, good for five minutes', async () => {
  const first = await readOk(await service.post('/v1/challenge', body))
  const second = await readOk(await service.post('/v1/challenge', body))
  expect(first).toEqual({
    nonce: expect.stringMatching(/^[\w-]+$/),
    expires_at: '2026-03-02T08:05:00.000Z',
    device_id: deviceIdOf(deviceKey),
  })
  expect(second.nonce).not.toBe(first.nonce)
  const nonce = fromBase64Url(first.nonce) ?? new Uint8Array()
  expect(nonce).toHaveLength(NONCE_BYTES)
  const { sealing } = service.services
  const opened = expectOk(openNonce({ secrets: sealing.nonce, deviceKey, nonce, now: START }))
  expect(opened.expiresAt).toEqual(new Date('2026-03-02T08:05:00Z'))
})

test('its lifetime is configured', async () => {
  const other = await createTestService({ database, env: { CHALLENGE_TTL_SECONDS: '30' } })
  const { expires_at } = await readOk(await other.post('/v1/challenge', body))
  expect(expires_at).toBe('2026-03-02T08:00:30.000Z')
})

test('a flood of challenges asks the store for nothing and writes nothing', async () => {
  const before = await everythingStored(service.query)
  service.calls.length = 0
  await Promise.all(Array.from({ length: 200 }, () => service.post('/v1/challenge', body)))
  expect(service.calls).toEqual([])
  expect(await everythingStored(service.query)).toEqual(before)
})

describe('what is no device key', () => {
  const cases: readonly [string, unknown][] = [
    ['no body members', {}],
    ['a number', { device_key: 1 }],
    ['31 bytes', { device_key: toBase64(deviceKey.subarray(1)) }],
    ['33 bytes', { device_key: toBase64(Buffer.concat([deviceKey, Buffer.alloc(1)])) }],
    ['base64url', { device_key: `${'-_'.repeat(21)}A=` }],
    ['hexadecimal', { device_key: deviceKey.toString('hex') }],
    ['null', null],
    ['a list', [body]],
    ['a member of the prototype', JSON.parse('{"__proto__":{"device_key":"AAAA"}}')],
  ]
  test.each(cases)('%s', async (_name, json) => {
    await expectProblem(await service.post('/v1/challenge', json), 400, 'request_malformed')
  })
})
