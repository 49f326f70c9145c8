import { decodeProtectedHeader, importX509, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { claimSecureBoot } from '../../../src/simulator/tampering.ts'
import type { Store } from '../../../src/store/store.ts'
import { MAX_ENVELOPE_BYTES } from '../../../src/verifier/limits.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  startDevice,
  testClock,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const clock = testClock()
const service = await createTestService({ database, clock })
const device = await startDevice()
afterAll(() => database.close())

const PATH = '/attest/Tpm?api-version=2025-06-01'
const INIT = envelope({ payload: { type: 'aikcert' } })

function envelope(message: unknown) {
  return { data: toBase64Url(toUtf8(JSON.stringify(message))) }
}

/** An error in Azure's form. */
async function expectError(answer: Response, status: number, code: string): Promise<AzureError> {
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/json')
  const { error } = (await answer.json()) as { error: AzureError }
  const innererror = { code: expect.any(String), request_id: answer.headers.get('x-request-id') }
  expect(error).toMatchObject({ code, message: expect.any(String), innererror })
  expect(Object.keys(error)).toEqual(['code', 'message', 'innererror'])
  return error
}

type AzureError = {
  readonly message: string
  readonly innererror: { readonly code: string; readonly where?: { readonly member?: string } }
}

test('the first message is answered by a challenge, and nothing is stored', async () => {
  const before = await everythingStored(service.query)
  service.calls.length = 0
  const answer = await service.post(PATH, INIT)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const { data } = await readOk(answer)
  const { payload } = JSON.parse(fromUtf8(fromBase64Url(data) ?? new Uint8Array()) ?? '')
  expect(payload).toEqual({ challenge: expect.any(String), service_context: expect.any(String) })
  expect(service.calls).toEqual([])
  expect(await everythingStored(service.query)).toEqual(before)
})

test('the second is answered by a token that the published certificates verify', async () => {
  const token = expectOk(await service.agentOf(device).obtainToken('AQID'))
  const metadata = await readOk(await service.request('/.well-known/openid-configuration'))
  expect(metadata).toMatchObject({ issuer: service.url, jwks_uri: `${service.url}/certs` })
  const certificates: JSONWebKeySet = await readOk(await service.request('/certs'))
  for (const key of certificates.keys)
    expect(Object.keys(key).sort()).toEqual(['kid', 'kty', 'x5c'])
  expect(certificates.keys[0]?.kid).toBe(decodeProtectedHeader(token).kid)
  const pem = `-----BEGIN CERTIFICATE-----\n${certificates.keys[0]?.x5c?.[0]}\n-----END CERTIFICATE-----`
  const { payload } = await jwtVerify(token, await importX509(pem, 'RS256'), {
    issuer: service.url,
    currentDate: clock.now(),
  })
  expect(payload).toMatchObject({ nonce: 'AQID', secureBootEnabled: true, vbsReportPresent: true })
})

test.each(['/certs', '/.well-known/openid-configuration', '/.well-known/jwks.json'])(
  '%s may be kept for a while by anybody',
  async (path) => {
    const answer = await service.request(path)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
    await readOk(answer)
  },
)

describe('a message that is refused', () => {
  const other = '/attest/Tpm?api-version=2019-01-01'
  const request = { payload: { request: 'a.b' } }
  const cases: readonly [string, string, unknown, string, string][] = [
    ['without api-version', '/attest/Tpm', INIT, 'api_version_missing', 'api-version'],
    ['with an unknown api-version', other, INIT, 'api_version_unsupported', 'api-version'],
    ['with no data', PATH, {}, 'message_member_missing', 'body.data'],
    ['with data that is no text', PATH, { data: 1 }, 'message_member_invalid', 'body.data'],
    ['of no base64url', PATH, { data: '!' }, 'message_encoding_invalid', 'body.data'],
    ['of no JSON', PATH, { data: toBase64Url(toUtf8('{')) }, 'json_malformed', 'message'],
    [
      'with an unknown payload',
      PATH,
      envelope({ payload: { type: 'others!' } }),
      'message_member_invalid',
      'message.payload.type',
    ],
    ['with a request that is no JWS', PATH, envelope(request), 'request_jws_malformed', 'request'],
    ['that is a list', PATH, [], 'message_member_invalid', 'body'],
  ]
  test.each(cases)('%s', async (_name, path, message, code, member) => {
    const before = await everythingStored(service.query)
    const error = await expectError(await service.post(path, message), 400, 'InvalidParameter')
    expect(error.innererror).toMatchObject({ code, where: { member } })
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('with a body that is not JSON', async () => {
    await expectError(await service.post(PATH, null, { body: '{' }), 400, 'InvalidParameter')
  })

  test('with another content type', async () => {
    const headers = { 'content-type': 'text/plain' }
    await expectError(await service.post(PATH, INIT, { headers }), 415, 'InvalidParameter')
  })

  test('with too large a body', async () => {
    const body = 'a'.repeat(MAX_ENVELOPE_BYTES + 1)
    await expectError(await service.post(PATH, null, { body }), 413, 'InvalidParameter')
  })
})

describe('evidence that is refused', () => {
  test('is kept with its reason when its attestation key had answered our challenge', async () => {
    const bad = await startDevice({ boot: { secureBoot: false } })
    expectOk(await service.agentOf(bad).attest())
    // Of two attempts at one moment either may be the newest.
    service.clock.advance(1)
    const tampered = claimSecureBoot(bad, 'recomputed')
    const failure = expectRefusal(
      await service.agentOf(tampered).obtainToken('AQID'),
      'agent_request_refused',
    )
    expect(failure).toMatchObject({ status: 400, code: 'log_pcr_mismatch' })
    const admin = await service.as('admin.read')
    const path = `/v1/devices/${bad.deviceId}`
    const { attestations } = await readOk(
      await service.request(`${path}/attestations`, { headers: admin }),
    )
    expect(attestations).toHaveLength(2)
    expect(attestations[0]).toMatchObject({
      outcome: 'refused',
      stage: 'evidence',
      reasons: [{ code: 'log_pcr_mismatch', bank: 'sha256', pcrs: [7] }],
      digests: { boot_log: expect.any(String), quote: expect.any(String) },
      trace: expect.arrayContaining([expect.objectContaining({ outcome: 'failed' })]),
    })
  })

  test('of a key that nobody knows or vouches for is shown among refused attempts, and is no device', async () => {
    const bad = await startDevice({ boot: { secureBoot: false } })
    service.clock.advance(1)
    const { refusal: _, ...before } = await everythingStored(service.query)
    const tampered = claimSecureBoot(bad, 'recomputed')
    expectRefusal(await service.agentOf(tampered).obtainToken('AQID'), 'agent_request_refused')
    const { refusal: __, ...after } = await everythingStored(service.query)
    expect(after).toEqual(before)
    const headers = await service.as('admin.read')
    const { refusals } = await readOk(await service.request('/v1/refusals?limit=1', { headers }))
    expect(refusals).toEqual([
      {
        attestation_id: expect.stringMatching(/^att_/),
        at: service.clock.now().toISOString(),
        device_id: bad.deviceId,
        known_or_vouched: false,
        stage: 'evidence',
        reasons: [
          {
            code: 'log_pcr_mismatch',
            bank: 'sha256',
            pcrs: [7],
            member: expect.stringMatching(/\.current_attestation\.logs\[0\]\.log$/),
            device_id: bad.deviceId,
          },
        ],
        issuer: service.url,
      },
    ])
    const path = `/v1/devices/${bad.deviceId}`
    await expectProblem(await service.request(path, { headers }), 404, 'device_not_found')
    const { attestations } = await readOk(
      await service.request(`${path}/attestations`, { headers }),
    )
    expect(attestations).toMatchObject([{ outcome: 'refused', trace: expect.any(Array) }])
  })

  test('is not kept when somebody else sends it with a challenge of long ago', async () => {
    const agent = service.agentOf(device)
    const before = await everythingStored(service.query)
    const fetch = async (request: Request) => {
      const answer = await service.app.fetch(request)
      clock.advance(301)
      return answer
    }
    const late = service.agentOf(device, { fetch })
    expectRefusal(await late.obtainToken('AQID'), 'agent_request_refused')
    expect(await everythingStored(service.query)).toEqual(before)
    expectOk(await agent.obtainToken('AQID'))
  })
})

test('a device that attests too often is told when to come back, in the form of Azure', async () => {
  const authority = await createAkAuthority(clock.now())
  const env = { AK_TRUST_ANCHORS: authority.anchorPem, DEVICE_ATTESTATIONS_PER_MINUTE: '2' }
  const strict = await createTestService({ database, clock, env })
  const agent = strict.agentOf(await startDevice({ issuer: authority.issue }))
  for (let attempt = 0; attempt < 2; attempt++) expectOk(await agent.obtainToken('AQID'))
  const before = await everythingStored(service.query)
  let answer = new Response()
  const fetch = async (request: Request) => {
    answer = await strict.app.fetch(request)
    return answer.clone()
  }
  await strict.agentOf(agent.device, { fetch }).obtainToken('AQID')
  expect(answer.headers.get('retry-after')).toBe('30')
  await expectError(answer, 429, 'TooManyRequests')
  expect(await everythingStored(service.query)).toEqual(before)
  clock.advance(30)
  expectOk(await agent.obtainToken('AQID'))
})

describe('when too many are being verified', () => {
  const env = { MAX_CONCURRENT_VERIFICATIONS: '1' }
  const narrow = (wrap = (store: Store) => store) =>
    createTestService({ database, clock, env, wrap })

  test('the next is told to come back, in the form of Azure', async () => {
    const [entered, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const busy = await narrow((store) => ({
      ...store,
      async recordRefusal(refusal) {
        entered.resolve()
        await release.promise
        return store.recordRefusal(refusal)
      },
    }))
    const tampered = claimSecureBoot(await startDevice({ boot: { secureBoot: false } }), 'kept')
    const first = busy.agentOf(tampered).obtainToken('AQID')
    await entered.promise
    const second = await busy.post(PATH, INIT)
    expect(second.headers.get('retry-after')).toBe('1')
    await expectError(second, 503, 'ServiceBusy')
    release.resolve()
    expectRefusal(await first, 'agent_request_refused')
    await readOk(await busy.post(PATH, INIT))
  })

  test('places are not taken by those who send slowly', async () => {
    const busy = await narrow()
    const slow = new ReadableStream({
      start(controller) {
        controller.enqueue(toUtf8('{'))
      },
    })
    const pending = busy.post(PATH, null, { body: slow })
    for (let i = 0; i < 3; i++) await readOk(await busy.post(PATH, INIT))
    await slow.cancel().catch(() => {})
    pending.catch(() => {})
  })

  test('a refusal gives its place back', async () => {
    const busy = await narrow()
    for (let i = 0; i < 3; i++) {
      await expectError(await busy.post(PATH, {}), 400, 'InvalidParameter')
    }
    await readOk(await busy.post(PATH, INIT))
  })
})
