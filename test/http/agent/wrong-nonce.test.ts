import { createHash, randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { expectOk, expectRefusal, noteReason } from '../../support/refusal.ts'
import { createTestService, expectProblem, startDevice, testClock } from '../../support/service.ts'
import {
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
  requestNonce,
  submit,
} from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

/** Agents that hash, or send, the wrong thing: of two members that differ the wrong one is blamed. */
const database = await openTestDatabase()
const service = await createTestService({ database, clock: testClock() })
const device = await startDevice()
await rememberHealthy(service, device)
afterAll(() => database.close())

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest()

describe('a nonce that was asked for with a hash of the wrong thing', () => {
  const key = device.tpm.attestationKey
  test.each([
    ['PEM', key.export({ type: 'spki', format: 'pem' })],
    ['the modulus', Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url')],
  ])('%s: is refused before there is a token', async (_name, hashed) => {
    const nonce = await requestNonce(service, sha256(hashed))
    const refused = await service.agentOf(device).obtainToken(nonce)
    const failure = expectRefusal(refused, 'agent_request_refused')
    expect(failure).toMatchObject({ status: 400, code: 'device_key_mishashed' })
    noteReason('device_key_mishashed')
  })

  test('of somebody else, or of no hash at all, is not the business of the verifier', async () => {
    const nonce = await requestNonce(service, randomBytes(32))
    expectOk(await service.agentOf(device).obtainToken(nonce))
    expectOk(await service.agentOf(device).obtainToken('AQID'))
  })
})

describe('where the nonces of token and proof differ', () => {
  test('rp_data is blamed if it is no nonce of this device', async () => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    // An agent that encodes the nonce once more.
    const twice = Buffer.from(nonce).toString('base64url')
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce: twice }))
    const answer = await submit(service, { token, proof: await makeProof(service, { nonce }) })
    expect(await expectProblem(answer, 401, 'nonce_malformed')).toMatchObject({
      where: { member: 'token.nonce' },
      expected: expect.stringContaining('rp_data'),
    })
  })

  test('the proof is blamed if that of the token is right', async () => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
    const other = await requestNonce(service, deviceKey)
    const proof = await makeProof(service, { nonce: other })
    const problem = await expectProblem(
      await submit(service, { token, proof }),
      401,
      'proof_nonce_mismatch',
    )
    expect(problem).toMatchObject({ where: { member: 'dpop.nonce' } })
  })

  test('a proof for another URL is told the right one', async () => {
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
    const claims = { htu: 'https://other.example/v1/attestations' }
    const proof = await makeProof(service, { nonce, claims })
    const answer = await submit(service, { token, proof })
    expect(await expectProblem(answer, 401, 'proof_url_mismatch')).toMatchObject({
      where: { member: 'dpop.htu' },
      expected: `${service.url}/v1/attestations`,
    })
  })
})
