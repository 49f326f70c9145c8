import { describe, expect, test } from 'vitest'
import { BUILT_IN_POLICY, BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { API_VERSIONS, readApiVersion } from '../../../src/verifier/protocol/api-version.ts'
import { describeIssuer, listCertificates } from '../../../src/verifier/protocol/metadata.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

describe('metadata', () => {
  test('the issuer names itself and its certificates', () => {
    const issuer = 'https://countersign.example'
    expect(describeIssuer(issuer)).toMatchObject({
      issuer,
      jwks_uri: 'https://countersign.example/certs',
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['token', 'none'],
    })
    expect(describeIssuer(issuer).claims_supported).toContain('secureBootEnabled')
  })

  test('keys are published with the members of Azure and no others', () => {
    const key = { kid: 'k', x5c: ['AAAA'], privateKey: 'secret' }
    expect(listCertificates([key])).toEqual({ keys: [{ kid: 'k', x5c: ['AAAA'], kty: 'RSA' }] })
  })
})

describe('api-version', () => {
  test.each(API_VERSIONS)('%s is served', (version) => {
    expect(expectOk(readApiVersion(version))).toBe(version)
  })

  test('a missing or unknown version', () => {
    expectRefusal(readApiVersion(undefined), 'api_version_missing')
    expectRefusal(readApiVersion(''), 'api_version_missing')
    expectRefusal(readApiVersion('2018-09-01-preview'), 'api_version_unsupported')
    expectRefusal(readApiVersion('2025-06-01 '), 'api_version_unsupported')
  })
})

describe('built-in policy', () => {
  test('is a policy of grammar 1.2 that wants the PCRs of firmware and Windows', () => {
    expect(BUILT_IN_POLICY).toMatch(/^version=1\.2;\nconfigurationrules\n/)
    expect(BUILT_IN_POLICY).toContain('type="required_pcr_mask", value=30975')
    expect(30975).toBe(0b0111_1000_1111_1111)
  })

  test('its hash is pinned: a change of the text is a change for every relying party', () => {
    expect(BUILT_IN_POLICY_HASH).toMatchInlineSnapshot(
      `"7mJYQ6P9oIvB6b1YXAu-Fub3x13m3ygwKFnNHx-Y79E"`,
    )
  })
})
