import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import type { AgentOptions } from '../../../src/simulator/agent.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import { encodePlatformStatement } from '../../../src/simulator/tpm-encoding.ts'
import type { VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { makeProof, submit } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { signRequest } from '../../verifier/harness.ts'

/**
 * Somebody else wants to be the device: a reader of its traffic, or a service that its agent trusts and
 * that hands on our challenge. Keys are listed, their certificates are asked for, and the policy wants
 * hardware but no enclave, so that nothing but the bindings stands in the way.
 */

const PATH = '/attest/Tpm?api-version=2025-06-01'
const EVIL = 'https://attest.evil.example'
const authority = await createAkAuthority(START)
const LISTED = { AK_TRUST_ANCHORS: authority.anchorPem, ENROLMENT: 'listed' }
const HARDWARE_ONLY = {
  ...BASELINE_POLICY,
  clauses: BASELINE_POLICY.clauses
    .filter(({ id }) => !id.startsWith('enclave'))
    .map((clause) =>
      clause.id === 'hardware_rooted_key' ? { ...clause, severity: 'enforce' } : clause,
    ),
}

let database: TestDatabase
let service: TestService
let tolerant: TestService
let victim: VirtualDevice
let mine: KeyObject

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, env: LISTED })
  tolerant = await createTestService({
    database,
    clock: service.clock,
    env: { ...LISTED, LEGACY_UNBOUND_REQUEST_KEY: 'accept' },
  })
  const headers = await service.as('admin.write')
  const body = { reason: 'hardware', document: HARDWARE_ONLY, accept_denials: 10 }
  await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers }))
  mine = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
})
afterAll(() => database?.close())

beforeEach(async () => {
  victim = await startDevice({ issuer: authority.issue })
  const headers = await service.as('admin.write')
  const { deviceKey: device_key } = victim
  await readOk(await service.post('/v1/devices', { device_key }, { headers }), 201)
  service.clock.advance(2)
})

const unpack = (text: string): Json => JSON.parse(Buffer.from(text, 'base64url').toString())
const envelope = (message: unknown) => ({ data: toBase64Url(toUtf8(JSON.stringify(message))) })
const sendRequest = (to: TestService, request: string) =>
  to.post(PATH, envelope({ payload: { request } }))

/** What a reader of the traffic has of an attestation: its request as it was sent. */
async function recordRequest(options: Partial<AgentOptions>, device = victim): Promise<string> {
  let recorded = ''
  const fetch = async (request: Request) => {
    const body: Json = await request.clone().json()
    if (body.data !== undefined) recorded = unpack(body.data).payload.request ?? recorded
    return service.app.fetch(request)
  }
  await service.agentOf(device, { ...options, fetch }).attest()
  return recorded
}

async function requestNonce(device = victim): Promise<string> {
  const { deviceKey: device_key } = device
  return (await readOk(await service.post('/v1/challenge', { device_key }))).nonce
}

/** Quote, log, attestation key, challenge and context of a request, with a nonce and a key of mine. */
function dressAsVersion1(request: string, nonce: string): Promise<string> {
  const payload = unpack(request.split('.')[1] ?? '')
  const data = payload.att_data.report_signed ?? payload.att_data
  const current = data.tpm_att_data.current_attestation
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
  const tpm = current
    ? {
        srtm_boot_log: current.logs[0].log,
        aik_cert: current.aik_cert,
        aik_pub: current.aik_pub,
        current_claim: toBase64Url(
          encodePlatformStatement({
            bank: 'sha256',
            attest: bytes(current.quote),
            signature: bytes(current.signature),
            pcrs: Buffer.concat(
              current.pcrs[0].values.map(({ digest: value }: Json) => bytes(value)),
            ),
          }),
        ),
      }
    : data.tpm_att_data
  return signRequest(mine, 1, {
    att_type: 'basic',
    att_data: {
      rp_data: nonce,
      challenge: data.challenge,
      tpm_att_data: tpm,
      attest_key: publicJwk(mine),
      service_context: data.service_context,
    },
  })
}

async function expectRefused(answer: Response, message: RegExp, reason: string): Promise<void> {
  const { error } = (await answer.json()) as Json
  expect(answer.status).toBe(400)
  expect(error).toMatchObject({ code: 'InvalidParameter', innererror: { code: reason } })
  expect(error.message).toMatch(message)
  expect(service.logs.concat(tolerant.logs).join('')).toContain(`"reason":"${reason}"`)
}

const recordOf = (device: VirtualDevice) =>
  database.query(`select * from device where device_id = '${device.deviceId}'`)

const KINDS_OF_AGENT = [
  ['v1 vbs', { requestVersion: 1, binding: undefined }],
  ['v2, its key quoted', { requestVersion: 2, binding: 'quote' }],
  ['v2, its key certified', { requestVersion: 2, binding: 'certify' }],
] as const

describe.each(KINDS_OF_AGENT)('a reader of the traffic of an agent (%s)', (_name, options) => {
  test('sends its evidence again under a key of their own, as version 1', async () => {
    const request = await recordRequest(options)
    const before = await recordOf(victim)
    const forged = await dressAsVersion1(request, await requestNonce())
    await expectRefused(
      await sendRequest(service, forged),
      /does not bind its key/,
      'legacy_request_key_unbound',
    )
    expect(await recordOf(victim)).toEqual(before)
    expect(expectOk(await service.agentOf(victim, options).attest()).verdict).toBe('trusted')
  })

  test('sends the very request again', async () => {
    const request = await recordRequest(options)
    await expectRefused(await sendRequest(service, request), /has been used/, 'context_spent')
    expect(expectOk(await service.agentOf(victim, options).attest()).verdict).toBe('trusted')
  })
})

describe.each(KINDS_OF_AGENT)('another verifier that an agent trusts (%s)', (_name, options) => {
  type Loot = { request: string; token: string; proof: string }

  /** Hands on challenge and nonce of ours, and, where told to, the request as well. */
  async function lure(isRelaying: boolean): Promise<Loot> {
    const loot: Loot = { request: '', token: '', proof: '' }
    const hand = async (request: Request): Promise<Response> => {
      const path = request.url.slice(EVIL.length)
      const body: Json = await request.json()
      if (path === '/v1/attestations') {
        Object.assign(loot, { token: body.token, proof: request.headers.get('dpop') })
        return new Response('{}', { status: 400 })
      }
      const message = body.data === undefined ? undefined : unpack(body.data).payload
      loot.request = message?.request ?? loot.request
      if (loot.request !== '' && !isRelaying) return new Response('{}', { status: 400 })
      return service.post(path, body)
    }
    await service.agentOf(victim, { ...options, baseUrl: EVIL, fetch: hand }).attest()
    return loot
  }

  test('sends what it got under a key of its own', async () => {
    const { request } = await lure(false)
    const before = await recordOf(victim)
    const forged = await dressAsVersion1(request, await requestNonce())
    await expectRefused(
      await sendRequest(service, forged),
      /does not bind its key/,
      'legacy_request_key_unbound',
    )
    // Where such requests are accepted it gets claims of the machine, and no key to prove.
    const answer = await sendRequest(tolerant, forged)
    if (options.binding === 'quote') {
      await expectRefused(answer, /over another nonce/, 'quote_nonce_mismatch')
    } else {
      const token = unpack((await readOk(answer)).data).payload.report
      expect(decodeJwt(token)).toMatchObject({ aikPubHash: victim.deviceKey })
      const nonce = String(decodeJwt(token).nonce)
      const proof = await makeProof(tolerant, { key: mine, nonce })
      await expectProblem(
        await submit(tolerant, { token, proof }),
        401,
        'token_without_confirmation',
      )
    }
    expect(await recordOf(victim)).toEqual(before)
  })

  test('passes everything on: the token is of the key of the agent, whose proof is not for us', async () => {
    const { token, proof } = await lure(true)
    const before = await recordOf(victim)
    expect(decodeJwt(token)).toMatchObject({ cnf: { jwk: publicJwk(victim.requestKey) } })
    const nonce = String(decodeJwt(token).nonce)
    await expectProblem(await submit(service, { token, proof }), 401, 'proof_url_mismatch')
    const own = await makeProof(service, { key: mine, nonce })
    await expectProblem(await submit(service, { token, proof: own }), 401, 'proof_key_mismatch')
    expect(await recordOf(victim)).toEqual(before)
  })
})

test('a verifier whose challenge is the hash over a key of its own: the agent asks no TPM', async () => {
  const challenge = new Uint8Array(16)
  const hash = digest(
    'sha256',
    toUtf8(JSON.stringify(publicJwk(mine))),
    Uint8Array.of(0),
    challenge,
  )
  const payload = { challenge: toBase64Url(hash), service_context: 'AAAA' }
  const fetch = async () => Response.json(envelope({ payload }))
  const agent = service.agentOf(victim, { baseUrl: EVIL, fetch, requestVersion: 1 })
  expectRefusal(await agent.obtainToken('AQID'), 'agent_answer_malformed')
})

describe('evidence of an agent of version 1 that has no enclave', () => {
  const withoutEnclave = () => startDevice({ issuer: authority.issue, enclave: null })

  test('is refused, whoever sends it', async () => {
    const device = await withoutEnclave()
    const agent = service.agentOf(device, { requestVersion: 1 })
    const failure = expectRefusal(await agent.attest(), 'agent_request_refused')
    expect(failure).toMatchObject({ step: 'request', status: 400 })
    expect(await recordOf(device)).toEqual([])
  })

  test('where it is accepted, makes one token, and nobody can hand that in', async () => {
    const device = await withoutEnclave()
    const agent = tolerant.agentOf(device, { requestVersion: 1 })
    const { nonce } = expectOk(await agent.requestChallenge())
    let recorded = ''
    const fetch = async (request: Request) => {
      const body: Json = await request.clone().json()
      recorded = unpack(body.data).payload.request ?? recorded
      return tolerant.app.fetch(request)
    }
    const honest = tolerant.agentOf(device, { requestVersion: 1, fetch })
    const token = expectOk(await honest.obtainToken(nonce))
    expect(decodeJwt(token)).not.toHaveProperty('cnf')
    for (const key of [device.requestKey, mine]) {
      const proof = await makeProof(tolerant, { key, nonce })
      await expectProblem(
        await submit(tolerant, { token, proof }),
        401,
        'token_without_confirmation',
      )
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      const forged = await dressAsVersion1(recorded, await requestNonce(device))
      await expectRefused(await sendRequest(tolerant, forged), /has been used/, 'context_spent')
    }
    expect(await recordOf(device)).toEqual([])
  })
})

test('that unbound keys are accepted is said at the start', () => {
  expect(tolerant.logs.join('')).toContain('"event":"legacy_unbound_request_key_accepted"')
  expect(service.logs.join('')).not.toContain('legacy_unbound_request_key_accepted')
})
