import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  jwtVerify,
} from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { toBase64 } from '../../../src/base/encoding.ts'
import { documentOf } from '../../policy/healthy-device.ts'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
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
  obtainHonestToken,
  rememberHealthy,
  requestNonce,
  submit,
} from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const device = await startDevice()
await rememberHealthy(service, device)
const admin = await service.as('admin.read', 'admin.write')
const pep = await service.as('access.evaluate')
afterAll(() => database.close())
beforeEach(() => clock.set(START))

/** What an identity provider is told about the device. */
async function decide(deviceId: string, at: TestService = service) {
  const question = {
    subject: { type: 'device', id: deviceId },
    resource: { type: 'application', id: 'payroll' },
    action: { name: 'signin' },
  }
  return readOk(await at.post('/access/v1/evaluation', question, { headers: pep }))
}

async function change(deviceId: string, verb: string) {
  const body = { reason: 'because' }
  return readOk(await service.post(`/v1/devices/${deviceId}/${verb}`, body, { headers: admin }))
}

describe('a device attests', () => {
  test.each([
    ['version 1', { requestVersion: 1 }],
    ['version 2, its key in the quote', { requestVersion: 2, binding: 'quote' }],
    ['version 2, its key certified by the TPM', { requestVersion: 2, binding: 'certify' }],
  ] as const)('with a request of %s', async (_name, options) => {
    const fresh = await startDevice()
    const answer = expectOk(await service.agentOf(fresh, options).attest())
    expect(answer).toMatchObject({ device_id: fresh.deviceId, verdict: 'trusted', reasons: [] })
    expect((await decide(fresh.deviceId)).decision).toBe(true)
  })

  test('and is told all that it needs until the next time', async () => {
    const { token, nonce } = await obtainHonestToken(service, device)
    const proof = await makeProof(service, { key: device.requestKey, nonce })
    const answer = await submit(service, { token, proof })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const body = await readOk(answer, 201)
    expect(body).toEqual({
      attestation_id: expect.stringMatching(/^att_[a-z2-7]{26}$/),
      device_id: device.deviceId,
      verdict: 'trusted',
      code: 'trusted',
      restart: false,
      reasons: [],
      coming: [],
      device_token: expect.any(String),
      token_type: 'DPoP',
      expires_at: '2026-03-02T16:00:00.000Z',
      valid_until: '2026-03-02T16:00:00.000Z',
      next_attestation_at: expect.any(String),
    })
    const wait = Date.parse(body.next_attestation_at) - START.getTime()
    expect(wait).toBeGreaterThan(0.4 * 8 * 3_600_000 - 1)
    expect(wait).toBeLessThanOrEqual(0.5 * 8 * 3_600_000)
  })

  test('and what is kept of it are claims and digests, not the evidence', async () => {
    const fresh = await startDevice()
    const { token, nonce } = await obtainHonestToken(service, fresh)
    const proof = await makeProof(service, { key: fresh.requestKey, nonce })
    await readOk(await submit(service, { token, proof }), 201)
    const path = `/v1/devices/${fresh.deviceId}/attestations`
    const { attestations } = await readOk(await service.request(path, { headers: admin }))
    expect(attestations).toHaveLength(1)
    expect(attestations[0]).toMatchObject({
      outcome: 'accepted',
      verdict: 'trusted',
      digests: {
        token: expect.any(String),
        quote: expect.any(String),
        boot_log: expect.any(String),
        enclave_report: expect.any(String),
      },
      claims: { secureBootEnabled: true },
    })
    const stored = JSON.stringify(await everythingStored(service.query))
    for (const part of token.split('.')) expect(stored).not.toContain(part)
    expect(stored).not.toContain(nonce)
    expect(stored).not.toContain(toBase64(fresh.bootLog.bytes).slice(0, 200))
  })

  test('in two round trips at the most', async () => {
    clock.advance(2)
    service.calls.length = 0
    await attestMinted(service)
    await attestMinted(service)
    expect(service.calls).toEqual(['inForce', 'recordAttestation', 'recordAttestation'])
  })

  test('and is told what to repair, in the language of its user', async () => {
    const claims = { secureBootEnabled: false }
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce, claims }))
    const proof = await makeProof(service, { nonce })
    const answer = await submit(service, { token, proof, language: 'de-AT, en;q=0.5' })
    expect(await readOk(answer, 201)).toMatchObject({
      verdict: 'untrusted',
      code: 'repair',
      restart: true,
      reasons: [{ code: 'secure_boot_on', title: 'Secure Boot ist ausgeschaltet' }],
    })
  })

  test('and an older submission that comes in later does not take the place of a newer', async () => {
    const deviceKey = newDeviceKey()
    clock.advance(60)
    const { deviceId, answer } = await attestMinted(service, { deviceKey })
    const { attestation_id } = await readOk(answer, 201)
    clock.set(START)
    await readOk((await attestMinted(service, { deviceKey })).answer, 201)
    clock.advance(61)
    expect((await decide(deviceId)).context.attestation_id).toBe(attestation_id)
  })
})

describe('a device token', () => {
  test('is a JWT of its own type, bound to the proven key, which the published keys verify', async () => {
    const { answer, deviceId } = await attestMinted(service)
    const { device_token, attestation_id } = await readOk(answer, 201)
    const keys = await readOk(await service.request('/.well-known/jwks.json'))
    const header = decodeProtectedHeader(device_token)
    expect(header).toMatchObject({ alg: 'ES256', typ: 'countersign-device+jwt' })
    expect(keys.keys.map((key: { kid: string }) => key.kid)).toContain(header.kid)
    expect(keys.keys[0]).not.toHaveProperty('d')
    const { payload } = await jwtVerify(device_token, createLocalJWKSet(keys), {
      issuer: service.url,
      audience: service.url,
      typ: 'countersign-device+jwt',
      algorithms: ['ES256'],
      currentDate: clock.now(),
    })
    expect(payload).toMatchObject({
      sub: deviceId,
      jti: attestation_id,
      cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) },
    })
    expect(Object.keys(payload)).not.toContain('verdict')
  })

  test('is issued to an untrusted device too, for it says who and not whether', async () => {
    const { answer } = await attestMinted(service, { claims: { secureBootEnabled: false } })
    const { verdict, device_token } = await readOk(answer, 201)
    expect(verdict).toBe('untrusted')
    expect(decodeJwt(device_token).sub).toMatch(/^dev_/)
  })
})

describe('the rate of a device', () => {
  test('is limited by its key: it waits, another does not', async () => {
    const slow = await createTestService({
      database,
      clock,
      env: { DEVICE_ATTESTATIONS_PER_MINUTE: '2' },
    })
    const deviceKey = newDeviceKey()
    for (let i = 0; i < 2; i++) await readOk((await attestMinted(slow, { deviceKey })).answer, 201)
    const before = await everythingStored(service.query)
    const { answer } = await attestMinted(slow, { deviceKey })
    expect(answer.headers.get('retry-after')).toBe('30')
    await expectProblem(answer, 429, 'device_rate_limited')
    noteReason('device_rate_limited')
    expect(await everythingStored(service.query)).toEqual(before)
    await readOk((await attestMinted(slow)).answer, 201)
    clock.advance(30)
    await readOk((await attestMinted(slow, { deviceKey })).answer, 201)
  })

  test('is not spent by whoever asks for challenges in its name, or hands in its token', async () => {
    const slow = await createTestService({
      database,
      clock,
      env: { DEVICE_ATTESTATIONS_PER_MINUTE: '1' },
    })
    const deviceKey = newDeviceKey()
    for (let i = 0; i < 50; i++) await requestNonce(slow, deviceKey)
    const nonce = await requestNonce(slow, deviceKey)
    const token = await mintToken(slow, mintedClaims(slow, { deviceKey, nonce }))
    for (let i = 0; i < 5; i++) {
      await expectProblem(await submit(slow, { token }), 401, 'proof_missing')
    }
    await readOk((await attestMinted(slow, { deviceKey })).answer, 201)
  })
})

describe('enrolment', () => {
  test('open: the first attestation admits', async () => {
    const { deviceId } = await attestMinted(service)
    const path = `/v1/devices/${deviceId}`
    expect(await readOk(await service.request(path, { headers: admin }))).toMatchObject({
      enrolment: 'admitted',
      verdict: 'trusted',
    })
  })

  test('approval: a device waits until an administrator admits it', async () => {
    const strict = await createTestService({ database, clock, env: { ENROLMENT: 'approval' } })
    const { deviceId, answer } = await attestMinted(strict)
    expect(await readOk(answer, 201)).toMatchObject({ verdict: 'unknown', code: 'wait' })
    expect(await decide(deviceId, strict)).toMatchObject({
      decision: false,
      context: { verdict: 'unknown', reasons: [{ code: 'enrolment_pending' }] },
    })
    await change(deviceId, 'admit')
    expect(await decide(deviceId, strict)).toMatchObject({ decision: true })
  })

  test('listed: a device on the list attests, another is refused', async () => {
    const strict = await createTestService({ database, clock, env: { ENROLMENT: 'listed' } })
    await expectProblem((await attestMinted(strict)).answer, 403, 'device_not_listed')
    const deviceKey = newDeviceKey()
    const { deviceId } = await attestMinted(service, { deviceKey })
    await readOk((await attestMinted(strict, { deviceKey })).answer, 201)
    expect((await decide(deviceId, strict)).decision).toBe(true)
  })
})

test('where the cnf key names the device, its attestation key does not', async () => {
  const byKey = await createTestService({ database, clock, env: { DEVICE_KEY: 'cnf' } })
  const { token: probe } = await obtainHonestToken(service, device)
  const { cnf } = decodeJwt(probe) as { cnf: { jwk: Record<string, string> } }
  const thumbprint = await calculateJwkThumbprint(cnf.jwk)
  const deviceKey = new Uint8Array(Buffer.from(thumbprint, 'base64url'))
  const nonce = await requestNonce(byKey, deviceKey)
  const agent = byKey.agentOf(device)
  const token = expectOk(await agent.obtainToken(nonce))
  const answer = expectOk(await agent.submitToken({ token, nonce }))
  expect(answer.device_id).not.toBe(device.deviceId)
  const shown = await readOk(
    await byKey.request(`/v1/devices/${answer.device_id}`, { headers: admin }),
  )
  expect(shown.verdict).toBe('trusted')
  const failure = expectRefusal(await agent.attest(), 'agent_request_refused')
  expect(failure).toMatchObject({ code: 'nonce_foreign' })
})

describe('a quarantined device', () => {
  test('stays so whatever it attests, until it is released', async () => {
    const deviceKey = newDeviceKey()
    const { deviceId } = await attestMinted(service, { deviceKey })
    expect((await decide(deviceId)).decision).toBe(true)
    await change(deviceId, 'quarantine')
    expect(await decide(deviceId)).toMatchObject({
      decision: false,
      context: { verdict: 'quarantined' },
    })
    const { answer } = await attestMinted(service, { deviceKey })
    expect(await readOk(answer, 201)).toMatchObject({ verdict: 'quarantined', code: 'blocked' })
    expect((await decide(deviceId)).decision).toBe(false)
    await change(deviceId, 'release')
    expect((await decide(deviceId)).decision).toBe(true)
  })
})

test('a device that falls silent is stale from the moment its attestation ends', async () => {
  const { deviceId } = await attestMinted(service)
  clock.advance(8 * 3600 - 0.001)
  expect((await decide(deviceId)).decision).toBe(true)
  clock.advance(0.001)
  expect(await decide(deviceId)).toMatchObject({ decision: false, context: { verdict: 'stale' } })
})

test('a policy about the device itself is applied with what is known about it', async () => {
  const { deviceId, deviceKey } = await attestMinted(service)
  const active = await readOk(await service.request('/v1/policy', { headers: admin }))
  const put = (document: object) =>
    service.post(
      '/v1/policy',
      { reason: 'test', document, accept_denials: 100, at_once: true },
      { method: 'PUT', headers: admin },
    )
  await readOk(await put(documentOf('"managed" in device.labels && device.ring >= 0')))
  clock.advance(2)

  const before = await attestMinted(service, { deviceKey })
  expect(await readOk(before.answer, 201)).toMatchObject({ verdict: 'untrusted' })
  const stranger = await attestMinted(service)
  expect(await readOk(stranger.answer, 201)).toMatchObject({ verdict: 'untrusted' })

  const labels = JSON.stringify({ labels: ['managed'] })
  const patch = {
    method: 'PATCH',
    body: labels,
    headers: { ...admin, 'content-type': 'application/json' },
  }
  await readOk(await service.request(`/v1/devices/${deviceId}`, patch))
  expect((await decide(deviceId)).decision).toBe(true)
  const after = await attestMinted(service, { deviceKey })
  expect(await readOk(after.answer, 201)).toMatchObject({ verdict: 'trusted', reasons: [] })

  await change(deviceId, 'quarantine')
  const locked = await attestMinted(service, { deviceKey })
  expect(await readOk(locked.answer, 201)).toMatchObject({ verdict: 'quarantined' })
  const shown = await readOk(await service.request(`/v1/devices/${deviceId}`, { headers: admin }))
  expect(shown.attestation.recorded_verdict).toBe('trusted')

  await readOk(await put(active.document))
})

describe('the URL of a proof', () => {
  test.each(['http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080'])(
    'may be any that the service listens on: %s',
    async (origin) => {
      const deviceKey = newDeviceKey()
      const nonce = await requestNonce(service, deviceKey)
      const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
      const htu = `${origin}/v1/attestations`
      const headers = {
        'content-type': 'application/json',
        dpop: await makeProof(service, { nonce, claims: { htu } }),
      }
      const request = new Request(htu, { method: 'POST', headers, body: JSON.stringify({ token }) })
      await readOk(await service.app.fetch(request), 201)
    },
  )

  test('is the public one behind a proxy, whatever host the proxy asks for', async () => {
    const env = { PUBLIC_URL: 'https://trust.example/base/' }
    const proxied = await createTestService({ database, clock, env })
    const deviceKey = newDeviceKey()
    const attempt = async (htu: string) => {
      const nonce = await requestNonce(proxied, deviceKey)
      const payload = mintedClaims(proxied, { deviceKey, nonce })
      const token = await mintToken(proxied, payload)
      const dpop = await makeProof(proxied, { nonce, claims: { htu } })
      const request = new Request('http://10.0.0.1:3000/v1/attestations', {
        method: 'POST',
        headers: { 'content-type': 'application/json', dpop },
        body: JSON.stringify({ token }),
      })
      return proxied.app.fetch(request)
    }
    await readOk(await attempt('https://trust.example/base/v1/attestations'), 201)
    const inside = await attempt('http://10.0.0.1:3000/v1/attestations')
    const { title, detail } = await expectProblem(inside, 401, 'proof_url_mismatch')
    expect(title).toContain('PUBLIC_URL')
    expect(detail).toMatch(
      /^htu must be https:\/\/trust\.example\/base\/v1\/attestations: .*PUBLIC_URL/,
    )
  })
})
