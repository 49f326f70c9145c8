import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, decodeJwt } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import type { Json } from '../../support/json.ts'
import { noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { attestMinted, newDeviceKey, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
await rememberHealthy(service, await startDevice())
const pep = await service.as('access.evaluate')
const admin = await service.as('admin.read', 'admin.write')
afterAll(() => database.close())
beforeEach(() => clock.set(START))

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

async function attest(deviceKey: Uint8Array, key: KeyObject): Promise<Json> {
  clock.advance(1)
  return readOk((await attestMinted(service, { deviceKey, key })).answer, 201)
}

const holder = (token: string) => ({
  subject: { type: 'user', id: 'mallory', properties: { device_token: token } },
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin' },
})

const ask = async (token: string, language = 'en') =>
  readOk(
    await service.post('/access/v1/evaluation', holder(token), {
      headers: { ...pep, 'accept-language': language },
    }),
  )

async function change(deviceId: string, verb: string) {
  const answer = await service.post(
    `/v1/devices/${deviceId}/${verb}`,
    { reason: 'stolen' },
    { headers: admin },
  )
  return readOk(answer)
}

const reasonOf = ({ context }: Json) => context.reasons.map(({ code }: Json) => code)

describe('a stolen device token', () => {
  test('ends when the device proves another key', async () => {
    const device = newDeviceKey()
    const stolen = await attest(device, newKey())
    expect((await ask(stolen.device_token)).decision).toBe(true)
    const fresh = await attest(device, newKey())
    const denied = await ask(stolen.device_token)
    expect(denied).toMatchObject({ decision: false, context: { verdict: 'unknown' } })
    expect(reasonOf(denied)).toEqual(['device_token_key_replaced'])
    expect(denied.context).not.toHaveProperty('cnf')
    expect((await ask(fresh.device_token)).decision).toBe(true)
    noteReason('device_token_key_replaced')
  })

  test('does not come back to life when the device proves the old key again', async () => {
    const [device, key] = [newDeviceKey(), newKey()]
    const stolen = await attest(device, key)
    await attest(device, newKey())
    const again = await attest(device, key)
    expect(reasonOf(await ask(stolen.device_token))).toEqual(['device_token_superseded'])
    expect((await ask(again.device_token)).decision).toBe(true)
    noteReason('device_token_superseded')
  })

  test.each([
    ['a quarantine and its end', ['quarantine', 'release']],
    ['signing the device out', ['sign-out']],
  ])('is ended by %s, although the key is the same', async (_name, verbs) => {
    const [device, key] = [newDeviceKey(), newKey()]
    const stolen = await attest(device, key)
    for (const verb of verbs) await change(stolen.device_id, verb)
    const denied = await ask(stolen.device_token)
    expect(reasonOf(denied)).toEqual(['device_token_superseded'])
    // The device itself is as good as before, and gets a token that counts.
    expect((await ask((await attest(device, key)).device_token)).decision).toBe(true)
    expect(reasonOf(await ask(stolen.device_token))).toEqual(['device_token_superseded'])
  })

  test('is told of in the language of whoever is denied, with what to do', async () => {
    const stolen = await attest(newDeviceKey(), newKey())
    await change(stolen.device_id, 'sign-out')
    const { context } = await ask(stolen.device_token, 'de')
    expect(context.reasons[0].title).toBe('Dieses Gerät wurde abgemeldet')
    expect(context.reasons[0].repair).toMatch(/Sicherheitsagenten/)
  })

  test('is refused in each question of a batch', async () => {
    const device = newDeviceKey()
    const stolen = await attest(device, newKey())
    const fresh = await attest(device, newKey())
    const evaluations = [holder(stolen.device_token), holder(fresh.device_token)]
    const body = { evaluations }
    const answer = await readOk(
      await service.post('/access/v1/evaluations', body, { headers: pep }),
    )
    expect(answer.evaluations.map(({ decision }: Json) => decision)).toEqual([false, true])
  })

  test('costs no statement more to refuse than another to grant', async () => {
    const device = newDeviceKey()
    const stolen = await attest(device, newKey())
    await attest(device, newKey())
    service.calls.length = 0
    await ask(stolen.device_token)
    expect(service.calls.filter((name) => name !== 'findClient')).toEqual(['trustRecord'])
  })
})

test('a decision names the key of which a proof can be demanded (RFC 9449 §6.1)', async () => {
  const key = newKey()
  const { device_id: id, device_token: token } = await attest(newDeviceKey(), key)
  const jkt = await calculateJwkThumbprint(publicJwk(key))
  const { context } = await ask(token)
  expect(context.cnf).toEqual({ jkt })
  expect(decodeJwt(token).cnf).toEqual({ jkt })
  await change(id, 'quarantine')
  const question = { ...holder(token), subject: { type: 'device', id } }
  const denied = await readOk(
    await service.post('/access/v1/evaluation', question, { headers: pep }),
  )
  expect(denied).toMatchObject({ decision: false, context: { cnf: { jkt } } })
})

describe('two agents of one device that race', () => {
  test('the one that attested last has the token that counts', async () => {
    const device = newDeviceKey()
    const keys = Array.from({ length: 6 }, newKey)
    const answers = await Promise.all(
      keys.map(async (key) => (await attestMinted(service, { deviceKey: device, key })).answer),
    )
    const tokens = await Promise.all(
      answers.map(async (answer) => (await readOk(answer, 201)).device_token),
    )
    const decisions = await Promise.all(tokens.map((token) => ask(token)))
    expect(decisions.filter(({ decision }) => decision)).toHaveLength(1)
    const { context } = decisions.find(({ decision }) => decision)
    const { attestation } = await readOk(
      await service.request(`/v1/devices/${context.device_id}`, { headers: admin }),
    )
    expect(attestation.cnf).toEqual(context.cnf)
  })

  test('one that arrives after a later one was recorded is told to attest again', async () => {
    const device = newDeviceKey()
    const winner = await attest(device, newKey())
    clock.set(START)
    const { answer } = await attestMinted(service, { deviceKey: device, key: newKey() })
    await expectProblem(answer, 409, 'attestation_overtaken')
    noteReason('attestation_overtaken')
    expect((await ask(winner.device_token)).decision).toBe(true)
    const { attestations } = await readOk(
      await service.request(`/v1/devices/${winner.device_id}/attestations`, { headers: admin }),
    )
    expect(attestations.map(({ outcome }: Json) => outcome)).toEqual(['accepted', 'accepted'])
  })
})

test('nobody is signed out by a client that may only read, or without a reason', async () => {
  const { device_id: id, device_token: token } = await attest(newDeviceKey(), newKey())
  const path = `/v1/devices/${id}/sign-out`
  const reader = await service.as('admin.read')
  await expectProblem(
    await service.post(path, { reason: 'r' }, { headers: reader }),
    403,
    'forbidden',
  )
  await expectProblem(await service.post(path, {}, { headers: admin }), 400, 'request_malformed')
  expect((await ask(token)).decision).toBe(true)
  const unknown = `/v1/devices/dev_${'b'.repeat(52)}/sign-out`
  await expectProblem(
    await service.post(unknown, { reason: 'r' }, { headers: admin }),
    404,
    'device_not_found',
  )
})
