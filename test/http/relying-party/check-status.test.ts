import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { statusOfDevice } from '../../../docs/examples/check-status.ts'
import { keepStatusList } from '../../../src/operations/status-list/keep-list.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, START, startDevice, testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** The gateway of the docs, which holds a device token against the list with nothing but `jose`. */
const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const issuer = service.url
afterAll(() => database.close())

const device = await startDevice()
let deviceToken: string
let jwks: JSONWebKeySet
let list: string

async function fetchList(): Promise<string> {
  await database.serve(() => keepStatusList(service.services))
  const answer = await service.request('/v1/status-list')
  expect(answer.status).toBe(200)
  return answer.text()
}

beforeAll(async () => {
  deviceToken = expectOk(await service.agentOf(device).attest()).device_token
  jwks = await readOk(await service.request('/.well-known/jwks.json'))
  list = await fetchList()
})
beforeEach(() => clock.set(START))

const check = (changes: Partial<Parameters<typeof statusOfDevice>[0]> = {}) =>
  statusOfDevice({ issuer, jwks, list, deviceToken, now: clock.now(), ...changes })

const hostile = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const forge = (payload: JWTPayload, typ: string, kid = jwks.keys[0]?.kid) =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', typ, kid: kid ?? '' })
    .sign(hostile.privateKey)

/** Everybody compliant. */
const good = { bits: 2, lst: deflateSync(new Uint8Array(1 << 18)).toString('base64url') }
const listOf = (changes: JWTPayload) => {
  const iat = START.getTime() / 1000
  return { iss: issuer, sub: `${issuer}/v1/status-list`, iat, exp: iat + 900, ...changes }
}

describe('the program', () => {
  const path = fileURLToPath(new URL('../../../docs/examples/check-status.ts', import.meta.url))
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [path, ...args], { encoding: 'utf8' })

  test('says what it wants, and of a file that is not there that nothing can be said', () => {
    expect(run()).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: /) })
    const { status, stdout, stderr } = run(issuer, '/no/keys', '/no/list', '/no/token')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('nothing can be said: ENOENT')
  })
})

describe('a gateway', () => {
  test('finds a device compliant, and suspended after its quarantine, without asking anybody', async () => {
    expect(await check()).toEqual({ device: device.deviceId, status: 'VALID' })
    const headers = await service.as('admin.write')
    const body = { reason: 'lost' }
    await readOk(await service.post(`/v1/devices/${device.deviceId}/quarantine`, body, { headers }))
    clock.advance(300)
    expect((await check({ list: await fetchList() })).status).toBe('SUSPENDED')
  })

  test('is told nothing by a list that has ended, or a device token that has', async () => {
    clock.advance(899)
    expect((await check()).status).toBe('VALID')
    clock.advance(1)
    await expect(check()).rejects.toThrow('exp')
    clock.advance(28_800)
    await expect(check()).rejects.toThrow('exp')
  })

  test('believes no list of another issuer, whoever signed it, nor of another address', async () => {
    const list = { ...listOf({ status_list: good }) }
    await expect(check({ list: await forge(list, 'statuslist+jwt') })).rejects.toThrow('signature')
    const other = { keys: [{ ...hostile.publicKey.export({ format: 'jwk' }), kid: 'k' }] }
    const theirs = await forge({ ...list, iss: 'https://other.example' }, 'statuslist+jwt', 'k')
    const both = { keys: [...jwks.keys, ...other.keys] }
    await expect(check({ list: theirs, jwks: both })).rejects.toThrow('iss')
    const elsewhere = await forge({ ...list, sub: `${issuer}/other` }, 'statuslist+jwt', 'k')
    await expect(check({ list: elsewhere, jwks: both })).rejects.toThrow('sub')
  })

  test('takes no device token for a list, and no list for a device token', async () => {
    await expect(check({ list: deviceToken })).rejects.toThrow('typ')
    await expect(check({ deviceToken: list })).rejects.toThrow()
  })

  test('takes no list that is signed by nobody, or by a secret that everybody knows', async () => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const payload = encode(listOf({ status_list: good }))
    const none = `${encode({ alg: 'none', typ: 'statuslist+jwt' })}.${payload}.`
    await expect(check({ list: none })).rejects.toThrow()
    const kid = jwks.keys[0]?.kid ?? ''
    const hmac = await new SignJWT(listOf({ status_list: good }))
      .setProtectedHeader({ alg: 'HS256', typ: 'statuslist+jwt', kid })
      .sign(Buffer.from(JSON.stringify(jwks.keys[0])))
    await expect(check({ list: hmac })).rejects.toThrow('alg')
  })

  test('lets nobody in whose place the list does not reach', async () => {
    const keys = { keys: [{ ...hostile.publicKey.export({ format: 'jwk' }), kid: 'k' }] }
    const short = { ...good, lst: deflateSync(new Uint8Array(0)).toString('base64url') }
    const list = await forge(listOf({ status_list: short }), 'statuslist+jwt', 'k')
    const both = { keys: [...jwks.keys, ...keys.keys] }
    await expect(check({ list, jwks: both })).rejects.toThrow('reach')
  })
})
