import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
  startDevice,
  type TestService,
  testClock,
} from '../../support/service.ts'
import {
  attestMinted,
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
  requestNonce,
  submit,
} from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const env = { DEVICE_ATTESTATIONS_PER_MINUTE: '6' }
/** Two processes on one database: what one recorded, the other answers again. */
const one = await createTestService({ database, env, clock })
const two = await createTestService({ database, env, clock })
await rememberHealthy(one, await startDevice())
const admin = await one.as('admin.read', 'admin.write')
beforeEach(() => clock.set(START))
afterAll(() => database.close())

/** A token and a proof that nobody has handed in yet. */
async function prepare(service: TestService = one, deviceKey = newDeviceKey()) {
  const nonce = await requestNonce(service, deviceKey)
  const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
  const proof = await makeProof(service, { nonce })
  return { deviceKey, nonce, token, proof, deviceId: deviceIdOf(deviceKey) }
}

/** What is recorded of devices, as far as a submission may change it. */
async function recorded() {
  const { refusal: _, ...rest } = await everythingStored(database.query)
  return rest
}

describe('a submission whose answer was lost', () => {
  test('is answered again by any process, with what was recorded, and recorded once', async () => {
    const handedIn = await prepare()
    const first = await readOk(await submit(one, handedIn), 201)
    const before = await recorded()
    for (const service of [one, two, two]) {
      clock.advance(10)
      const {
        device_token: token,
        next_attestation_at: _,
        ...again
      } = await readOk(await submit(service, handedIn), 201)
      const { device_token: firstToken, next_attestation_at: __, ...said } = first
      expect(again).toEqual(said)
      // The same claims: no other key, no later end, no other generation.
      expect(decodeJwt(token)).toEqual(decodeJwt(firstToken))
    }
    expect(await recorded()).toEqual(before)
    expect(two.logs.join('')).toContain('attestation_answered_again')
  })

  test('is answered again with the verdict of then, whatever is in force by now', async () => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(one, deviceKey)
    const claims = mintedClaims(one, { deviceKey, nonce, claims: { secureBootEnabled: false } })
    const handedIn = { token: await mintToken(one, claims), proof: await makeProof(one, { nonce }) }
    const first = await readOk(await submit(one, handedIn), 201)
    expect(first.verdict).toBe('untrusted')
    const again = await readOk(await submit(two, handedIn), 201)
    expect(again).toMatchObject({ verdict: first.verdict, reasons: first.reasons })
  })

  test('is refused when its nonce has ended', async () => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    clock.advance(299)
    await readOk(await submit(one, handedIn), 201)
    clock.advance(1)
    await expectProblem(await submit(one, handedIn), 401, 'nonce_expired')
  })

  test('by many at once is recorded once, and all are told the same', async () => {
    const handedIn = await prepare()
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => submit(index % 2 === 0 ? one : two, handedIn)),
    )
    const told = await Promise.all(answers.map((answer) => readOk(answer, 201)))
    expect(new Set(told.map(({ attestation_id }) => attestation_id)).size).toBe(1)
  })
})

describe('a spent nonce stays spent', () => {
  test('for another proof by the same key, and for another token', async () => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    const { nonce, deviceKey, token } = handedIn
    const proof = await makeProof(one, { nonce })
    await expectProblem(await submit(one, { token, proof }), 409, 'nonce_spent')
    noteReason('nonce_spent')
    const other = await mintToken(one, mintedClaims(one, { deviceKey, nonce }))
    await expectProblem(await submit(two, { ...handedIn, token: other }), 409, 'nonce_spent')
  })

  test('for whoever stole token and proof and has another key', async () => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    const { nonce, token } = handedIn
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const proof = await makeProof(one, { nonce, key })
    await expectProblem(await submit(one, { token, proof }), 401, 'proof_key_mismatch')
  })

  test('once the device has attested again', async () => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    clock.advance(1)
    await readOk(await submit(one, await prepare(one, handedIn.deviceKey)), 201)
    await expectProblem(await submit(two, handedIn), 409, 'nonce_spent')
  })

  /** Each ends device tokens, or says something else of the device: an old answer must not undo it. */
  test.each([
    ['signed out', 'sign-out'],
    ['quarantined', 'quarantine'],
  ])('once the device was %s, at the very same moment too', async (_, action) => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    const path = `/v1/devices/${handedIn.deviceId}/${action}`
    await readOk(await one.post(path, { reason: 'stolen' }, { headers: admin }))
    for (const service of [one, two]) {
      await expectProblem(await submit(service, handedIn), 409, 'nonce_spent')
    }
  })

  test('once it was signed out by a process whose clock is behind', async () => {
    const handedIn = await prepare()
    await readOk(await submit(one, handedIn), 201)
    clock.advance(-30)
    const path = `/v1/devices/${handedIn.deviceId}/sign-out`
    await readOk(await one.post(path, { reason: 'stolen' }, { headers: admin }))
    clock.advance(30)
    await expectProblem(await submit(two, handedIn), 409, 'nonce_spent')
  })
})

test('whoever replays what a device has handed in uses up none of what the device may do', async () => {
  const handedIn = await prepare()
  await readOk(await submit(one, handedIn), 201)
  const statuses = new Set<number>()
  for (let time = 0; time < 40; time++) statuses.add((await submit(one, handedIn)).status)
  expect(statuses).toEqual(new Set([201, 429]))
  // RFC 4648 §3.5: the last character has bits that nobody reads, so one signature is many texts.
  const bytes = Buffer.from(handedIn.proof.split('.')[2] ?? '', 'base64url')
  const writings = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    .map((last) => handedIn.proof.slice(0, -1) + last)
    .filter((proof) => bytes.equals(Buffer.from(proof.split('.')[2] ?? '', 'base64url')))
  expect(writings).toHaveLength(16)
  for (const proof of writings) {
    const { status } = await submit(one, { ...handedIn, proof })
    expect(status).toBe(proof === handedIn.proof ? 429 : 409)
  }
  const { deviceKey } = handedIn
  for (let time = 0; time < 5; time++) {
    clock.advance(0.001)
    await readOk((await attestMinted(one, { deviceKey })).answer, 201)
  }
})

describe('our own agent loses nothing', () => {
  /** Hands requests on; of each of these paths the first answer is lost on its way. */
  const losing = (lost: (path: string, count: number) => Response | 'lost' | undefined) => {
    const counts = new Map<string, number>()
    return async (request: Request) => {
      const { pathname } = new URL(request.url)
      const count = (counts.get(pathname) ?? 0) + 1
      counts.set(pathname, count)
      const answer = await one.app.fetch(request)
      const instead = lost(pathname, count)
      if (instead === 'lost') throw new TypeError('connection reset')
      return instead ?? answer
    }
  }
  const attest = async (fetch: ReturnType<typeof losing>) => {
    const device = await startDevice()
    const wait = () => Promise.resolve()
    const agent = one.agentOf(device, { fetch, wait, maxAttempts: 3, maxBusyAttempts: 3 })
    expectOk(await agent.attest())
    const rows = await database.query(
      `select attestation_id from attestation where device_id = '${device.deviceId}'`,
    )
    expect(rows).toHaveLength(1)
  }

  test('when the answer to its submission is lost', () =>
    attest(
      losing((path, count) => (path === '/v1/attestations' && count < 3 ? 'lost' : undefined)),
    ))

  test('when it is told to come later after it was recorded', () => {
    const later = () => new Response(null, { status: 503, headers: { 'retry-after': '1' } })
    return attest(
      losing((path, count) => (path === '/v1/attestations' && count < 3 ? later() : undefined)),
    )
  })

  test('when its message was taken and the answer says to come later', () => {
    const later = () => new Response(null, { status: 503, headers: { 'retry-after': '1' } })
    // The first message of that path asks for a challenge, the second brings the evidence.
    return attest(
      losing((path, count) => (path === '/attest/Tpm' && count === 2 ? later() : undefined)),
    )
  })
})
