import { generateKeyPairSync } from 'node:crypto'
import { exportJWK, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../src/cli/framework/usage-error.ts'
import { describeVectors } from '../../support/vectors.ts'
import { file, inspect, inspectRefused, inspectVerified, pathOf } from './inspection.ts'

const ISSUER = 'https://countersign.example'
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'own' }] }
const jwks = ['--jwks', file('ear.jwks.json', JSON.stringify(keys))]
const AT = ['--at', '2026-03-02T08:00:00Z']
const CLAIMS = {
  ...{
    eat_profile: 'tag:ietf.org,2026:rats/ear#04',
    iss: ISSUER,
    sub: 'dev_x',
    iat: 1_772_438_400,
  },
  ...{ exp: 1_772_438_460, cnf: { jkt: 'key' }, eat_nonce: '12345678' },
  ear_verifier_id: { developer: ISSUER, build: '1' },
  submods: {
    device: {
      ear_status: 'warning',
      ear_trustworthiness_vector: { configuration: 36, hardware: 2 },
    },
  },
}
const jwt = await new SignJWT(CLAIMS)
  .setProtectedHeader({ alg: 'ES256', typ: 'eat+jwt', kid: 'own' })
  .sign(privateKey)
const token = file('ear.jwt', jwt)

describe('inspect ear', () => {
  test('verifies a signed result and says what each value of its vector means', async () => {
    const finding = await inspectVerified('ear', token, ...jwks, '--issuer', ISSUER, ...AT)
    expect(finding).toMatchObject({
      ...{ status: 'warning', subject: 'dev_x', confirmation_key: 'key', remarks: [] },
      submods: [
        {
          label: 'device',
          vector: [
            { claim: 'configuration', value: 36, tier: 'warning' },
            { claim: 'hardware', value: 2, tier: 'affirming' },
          ],
        },
      ],
    })
  })

  test('holds its nonce against the expected one', async () => {
    const args = ['ear', token, ...jwks, ...AT, '--nonce']
    await inspectVerified(...args, '12345678')
    await inspectRefused('ear_nonce_differs', ...args, '12345679')
  })

  test('refuses one that has ended, and shows what it said', async () => {
    const late = ['--at', '2026-03-02T08:01:00Z']
    const finding = await inspectRefused('ear_expired', 'ear', token, ...jwks, ...late)
    expect(finding.status).toBe('warning')
  })

  test('wants the keys of whoever signed it', async () => {
    await expect(inspect('ear', token)).rejects.toThrow(UsageError)
  })
})

describeVectors('inspect ear: the examples of the draft', () => {
  test('claims that nobody signed are read, and verified by nobody', async () => {
    const path = pathOf('rats/ear/examples/ear-json-1.json')
    const finding = await inspectRefused('ear_unsigned', 'ear', path)
    expect(finding).toMatchObject({ status: 'contraindicated', submods: [{ label: 'PSA' }] })
  })
})
