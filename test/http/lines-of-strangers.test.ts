import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { createTestService, START, type TestService } from '../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts'

/** A flood of what anybody can send must not become one of the log. */
let database: TestDatabase
let service: TestService

beforeAll(async () => {
  database = await openTestDatabase()
  const { anchorPem } = await createAkAuthority(START)
  service = await createTestService({
    database,
    env: { LOG_LEVEL: 'info', EK_TRUST_ANCHORS: anchorPem, AK_TRUST_ANCHORS: anchorPem },
  })
})
afterAll(() => database?.close())

const FLOOD = 150
const bytes = 'AAAA'
const question = {
  subject: { type: 'device', id: 'x' },
  action: { name: 'a' },
  resource: { type: 't', id: 'r' },
}

test.each<readonly [string, string, object, Record<string, string>]>([
  ['enrolments', '/v1/enrolments', { ek_certificate: bytes, ak_public: bytes }, {}],
  ['activations', '/v1/enrolments/activate', { ticket: bytes, secret: bytes }, {}],
  ['attestation messages', '/attest/Tpm?api-version=2025-06-01', { data: bytes }, {}],
  ['attestations', '/v1/attestations', { token: 'a.b.c' }, { dpop: 'a.b.c' }],
  ['challenges', '/v1/challenge', { device_key: bytes }, {}],
  ['break-glass tokens', '/access/v1/evaluation', question, { 'break-glass': 'x' }],
  ['credentials', '/access/v1/evaluation', question, { authorization: 'Basic eDp5' }],
])(
  '%s that are refused are lines so many a minute, and no more',
  async (_, path, body, headers) => {
    const before = service.logs.length
    for (let time = 0; time < FLOOD; time++) {
      const { status } = await service.post(path, body, { headers })
      expect(status).toBeGreaterThanOrEqual(400)
    }
    expect(service.logs.length - before).toBeLessThanOrEqual(60)
  },
)
