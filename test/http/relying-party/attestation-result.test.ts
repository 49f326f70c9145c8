import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { readEar } from '../../../src/access/ear/read-ear.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { HEALTHY, withoutClaim } from '../../policy/healthy-device.ts'
import { attestationOf } from '../../store/fixtures.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const pep = await service.as('access.evaluate')
const admin = await service.as('admin.write')
afterAll(() => database.close())
beforeEach(() => clock.set(START))

/** From the start of the fixtures to that of the service. */
const SECONDS = 72_000
const TYPE = 'application/eat+jwt; eat_profile="tag:ietf.org,2026:rats/ear#04"'
const pathOf = (deviceId: string) => `/v1/devices/${deviceId}/attestation-result`
const ask = (deviceId: string, query = '', headers = pep) =>
  service.request(pathOf(deviceId) + query, { headers })

async function attested(): Promise<string> {
  const device = await startDevice()
  expectOk(await service.agentOf(device).attest())
  return device.deviceId
}

describe('a relying party asks for the attestation result of a device', () => {
  test('and gets an EAR that jose verifies and that says what was appraised', async () => {
    const deviceId = await attested()
    const response = await ask(deviceId, '?nonce=0123456789abcdef')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(TYPE)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const keys = createLocalJWKSet(await service.services.publishedKeys())
    const { payload } = await jwtVerify(await response.text(), keys, {
      ...{ algorithms: ['ES256'], typ: 'eat+jwt', issuer: service.url, subject: deviceId },
      currentDate: clock.now(),
    })
    const { policy, referenceValues } = (await service.services.rules.recent()).active
    expect(payload).toEqual({
      ...{ eat_profile: 'tag:ietf.org,2026:rats/ear#04', iss: service.url, sub: deviceId },
      ...{ iat: START.getTime() / 1000, exp: START.getTime() / 1000 + 28_800 },
      ...{ cnf: { jkt: expect.any(String) }, eat_nonce: '0123456789abcdef' },
      // Nobody vouches for the attestation key of a simulated device.
      ear_status: 'contraindicated',
      ear_verifier_id: { developer: service.url, build: expect.stringMatching(/^countersign /) },
      submods: {
        device: {
          ear_status: 'contraindicated',
          ear_trustworthiness_vector: {
            ...{ 'instance-identity': 2, configuration: 2, executables: 2, hardware: 97 },
          },
          ear_appraisal_policy_ids: [
            `urn:countersign:policy:${policy.hash}`,
            `urn:countersign:reference-values:${referenceValues.hash}`,
          ],
        },
      },
    })
    expectOk(readEar(payload))
  })

  test('that is contraindicated while the device is in quarantine, whatever it proved', async () => {
    const deviceId = await attested()
    const body = { reason: 'lost' }
    await readOk(await service.post(`/v1/devices/${deviceId}/quarantine`, body, { headers: admin }))
    const ear = expectOk(readEar(decodeJwt(await (await ask(deviceId)).text())))
    expect(ear.status).toBe('contraindicated')
    expect(ear.submods[0]?.vector.get('configuration')).toBe(2)
  })

  test('that takes no claim that was not made for a good one', async () => {
    const deviceId = `dev_${'b'.repeat(52)}`
    const input = attestationOf({ deviceId, at: SECONDS, claims: { ...HEALTHY } })
    const claims = { ...withoutClaim('enclaveAuthorId'), aikValidated: true }
    const attestation = {
      ...input.attestation,
      attestationPolicyHash: BUILT_IN_POLICY_HASH,
      claims,
    }
    await database.serve(() => database.store.recordAttestation({ ...input, attestation }))
    const ear = expectOk(readEar(decodeJwt(await (await ask(deviceId)).text())))
    expect(ear.status).not.toBe('affirming')
    expect(ear.submods[0]?.vector.has('instance-identity')).toBe(false)
    expect(ear.submods[0]?.vector.get('hardware')).toBe(2)
  })

  test('and is told that there is none of a device that nobody knows, or whose evidence has ended', async () => {
    const deviceId = await attested()
    const unknown = `dev_${'a'.repeat(52)}`
    await expectProblem(await ask(unknown), 404, 'attestation_result_absent')
    await expectProblem(await ask('nonsense'), 404, 'attestation_result_absent')
    clock.advance(28_800)
    await expectProblem(await ask(deviceId), 404, 'attestation_result_absent')
    noteReason('attestation_result_absent')
  })

  test('with credentials and the scope of a relying party only', async () => {
    const deviceId = await attested()
    await expectProblem(await ask(deviceId, '', {}), 401, 'unauthenticated')
    await expectProblem(await ask(deviceId, '', admin), 403, 'forbidden')
  })

  test('with a nonce of 8 to 88 characters (RFC 9711 §4.1)', async () => {
    const deviceId = await attested()
    for (const nonce of ['', '1234567', 'n'.repeat(89), '12345678%20', '12345678%C3%A4']) {
      await expectProblem(await ask(deviceId, `?nonce=${nonce}`), 400, 'request_malformed')
    }
    expect((await ask(deviceId, `?nonce=${'n'.repeat(88)}`)).status).toBe(200)
  })
})

describe('an agent', () => {
  test('gets the result that it carries to relying parties by the very submission that was recorded', async () => {
    const device = await startDevice()
    let answer: Response | undefined
    const agent = service.agentOf(device, {
      async fetch(request) {
        const again = request.clone()
        const first = await service.app.fetch(request)
        if (new URL(request.url).pathname === '/v1/attestations') {
          const headers = new Headers(again.headers)
          headers.set('accept', 'application/eat+jwt, application/json;q=0.5')
          answer = await service.app.fetch(new Request(again, { headers }))
        }
        return first
      },
    })
    const accepted = expectOk(await agent.attest())
    expect(answer?.status).toBe(201)
    expect(answer?.headers.get('content-type')).toBe(TYPE)
    const payload = decodeJwt(await (answer?.text() ?? ''))
    expect(payload).toMatchObject({ sub: device.deviceId, iss: service.url })
    expect(payload.cnf).toEqual(decodeJwt(accepted.device_token).cnf)
    expectOk(readEar(payload))
  })

  test.each(['*/*', 'application/json', 'application/eat+jwt;q=0', ''])(
    'gets its device token where it accepts %j',
    async (accept) => {
      const device = await startDevice()
      const agent = service.agentOf(device, {
        fetch(request) {
          const headers = new Headers(request.headers)
          headers.set('accept', accept)
          return Promise.resolve(service.app.fetch(new Request(request, { headers })))
        },
      })
      expect(expectOk(await agent.attest()).device_token).toMatch(/^eyJ/)
    },
  )
})
