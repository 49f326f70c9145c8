import { afterAll, expect, test } from 'vitest'
import { fromBase64Url } from '../../../src/base/encoding.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, START, startDevice } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { makeRequest } from '../../verifier/harness.ts'
import { file, inspect } from './inspection.ts'

const database = await openTestDatabase()
afterAll(() => database.close())
const maker = await createAkAuthority(START)
const env = { EK_TRUST_ANCHORS: maker.anchorPem }
const service = await createTestService({ database, env })

test('the certificate of an enrolled key is checked by the service alone, whatever anchors are given', async () => {
  const agent = service.agentOf(await startDevice({ endorser: maker.endorse }))
  expectOk(await agent.enrol())
  // The service takes it.
  expectOk(await agent.attest())
  const init = await readOk(await service.post('/attest/Tpm?api-version=2025-06-01', INIT))
  const { payload } = JSON.parse(Buffer.from(init.data, 'base64url').toString())
  const challenge = fromBase64Url(payload.challenge) ?? new Uint8Array()
  const request = await makeRequest(agent.device, {
    ...{ challenge, serviceContext: payload.service_context },
  })
  const path = file('enrolled', request)
  const { anchorPem } = await createAkAuthority(START)
  for (const pem of [undefined, maker.anchorPem, anchorPem]) {
    const anchors = pem === undefined ? [] : ['--anchors', file('anchors-of-enrolled.pem', pem)]
    const { output, status } = await inspect('request', path, ...anchors)
    expect(output).toMatch(/^VERIFIED/)
    expect(output).toContain(
      'not checked: attestation_key_certificate: it is the certificate of an enrolled key, which only the service that issued it can check',
    )
    expect(status).toBe(0)
  }
})

const INIT = {
  data: Buffer.from(JSON.stringify({ payload: { type: 'aikcert' } })).toString('base64url'),
}
