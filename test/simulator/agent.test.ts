import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { type AgentOptions, AttestationAgent } from '../../src/simulator/agent.ts'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { StandInService } from './stand-in-service.ts'

const url = 'https://countersign.test'
const keys = primeSharingKeys()
const device = await startVirtualDevice({ name: 'a device', keys })

function connect(options: Partial<AgentOptions> = {}, service = new StandInService(url)) {
  const { fetch, now } = service
  return new AttestationAgent({ device, baseUrl: url, fetch, now, ...options })
}

describe('an agent', () => {
  test.each([
    ['1', { requestVersion: 1 }],
    ['2, its key in the quote', { requestVersion: 2, binding: 'quote' }],
    ['2, its key certified by the TPM', { requestVersion: 2, binding: 'certify' }],
  ] as const)('attests with a request of version %s', async (_name, options) => {
    const attestation = expectOk(await connect(options).attest())
    expect(attestation).toMatchObject({ verdict: 'trusted', reasons: [] })
  })

  test('whose answer was lost begins anew, because a context serves one request', async () => {
    const service = new StandInService(url)
    let requests = 0
    const fetch = async (request: Request) => {
      const answer = await service.fetch(request.clone())
      const { data } = (await request.json()) as { data?: string }
      const isRequest = Buffer.from(data ?? '', 'base64url').includes('"request"')
      requests += isRequest ? 1 : 0
      if (isRequest && requests === 1) throw new TypeError('the connection broke off')
      return answer
    }
    expectOk(await connect({ fetch }, service).attest())
    expect(requests).toBe(2)
    const once = connect({ fetch: () => Promise.reject(new TypeError('no')), maxAttempts: 1 })
    expectRefusal(await once.obtainToken('AQID'), 'agent_service_unreachable')
  })

  test.each([15, 17, 32, 48, 64])('asks no TPM to sign a challenge of %d bytes', async (length) => {
    const challenge = Buffer.alloc(length).toString('base64url')
    const payload = JSON.stringify({ payload: { challenge, service_context: 'AAAA' } })
    const fetch = async () => Response.json({ data: Buffer.from(payload).toString('base64url') })
    expectRefusal(await connect({ fetch }).obtainToken('AQID'), 'agent_answer_malformed')
  })

  test('attests with a certified attestation key where that is asked for', async () => {
    const authority = await createAkAuthority(new Date())
    const anchors = expectOk(parsePemBundle(authority.anchorPem))
    const service = new StandInService(url, { anchors, intermediates: [] })
    expectRefusal(await connect({}, service).attest(), 'agent_request_refused')
    const certified = await startVirtualDevice({ name: 'certified', keys, issuer: authority.issue })
    expectOk(await connect({ device: certified }, service).attest())
  })

  test('attests with an elliptic-curve attestation key', async () => {
    const attestationKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const elliptic = await startVirtualDevice({ name: 'elliptic', keys, attestationKey })
    const attestation = expectOk(await connect({ device: elliptic }).attest())
    expect(attestation.device_id).toBe(elliptic.deviceId)
  })

  test('attests without an enclave', async () => {
    const bare = await startVirtualDevice({ name: 'bare', keys, enclave: null })
    const challenge = expectOk(await connect().requestChallenge())
    const token = expectOk(await connect({ device: bare }).obtainToken(challenge.nonce))
    expect(decodeJwt(token)).toMatchObject({ vbsReportPresent: false, vbsEnabled: true })
  })

  test('gets a token that says what its device measured, with the nonce', async () => {
    const { nonce } = expectOk(await connect().requestChallenge())
    const claims = decodeJwt(expectOk(await connect().obtainToken(nonce)))
    expect(claims).toMatchObject({
      iss: url,
      nonce,
      secureBootEnabled: true,
      codeIntegrityEnabled: true,
      hvciEnabled: true,
      aikPubHash: device.deviceKey,
      enclaveSvn: 5,
      enclaveFlags: 0,
    })
  })

  test('cannot hand in its token with a key that is not in it', async () => {
    const agent = connect()
    const { nonce } = expectOk(await agent.requestChallenge())
    const token = expectOk(await agent.obtainToken(nonce))
    const stolen = await agent.submitToken({ token, nonce, key: await keys() })
    expect(expectRefusal(stolen, 'agent_request_refused')).toMatchObject({
      step: 'submission',
      code: 'proof_key_mismatch',
    })
  })

  test.each([
    ['no nonce', { expires_at: '2026-01-01T00:00:00Z', device_id: 'dev_' }],
    ['an array', []],
  ])('does not take %s for a challenge', async (_name, body) => {
    const agent = connect({ fetch: () => Response.json(body) })
    expectRefusal(await agent.attest(), 'agent_answer_malformed')
  })
})
