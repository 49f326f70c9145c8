import { expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { developerContradictions } from '../../src/config/developer.ts'
import { createAkAuthority } from '../../src/simulator/ak-authority.ts'
import { expectOk } from '../support/refusal.ts'

const { anchorPem } = await createAkAuthority(new Date('2026-01-01'))
const PROVIDER = 'https://contoso.weu.attest.azure.net'
const AZURE = { VERIFIERS: PROVIDER }
const contradictions = (environment: Record<string, string>) =>
  developerContradictions(expectOk(parseConfig(environment)))

test.each([
  [{}],
  [{ HOST: '127.0.0.1', PORT: '9000' }],
  [{ HOST: '::1', PUBLIC_URL: 'http://[::1]:8080' }],
  [{ PUBLIC_URL: 'http://localhost:8080' }],
])('on this machine alone it may be developed against: %j', (environment) => {
  expect(contradictions(environment)).toEqual([])
})

test.each([
  ['another URL', 'PUBLIC_URL (trust.example)', { PUBLIC_URL: 'https://trust.example' }],
  ['every address', 'HOST (0.0.0.0)', { HOST: '0.0.0.0', PUBLIC_URL: 'http://localhost:8080' }],
  [
    'an address of the network',
    'HOST (10.0.0.7)',
    { HOST: '10.0.0.7', PUBLIC_URL: 'http://localhost' },
  ],
  ['PostgreSQL', 'DATABASE_URL', { DATABASE_URL: 'postgres://localhost/x' }],
  ['anchors by name', 'AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS: 'microsoft' }],
  ['anchors of attestation keys', 'AK_TRUST_ANCHORS', { AK_TRUST_ANCHORS: anchorPem }],
  ['an Azure provider', 'VERIFIERS has https://contoso.weu.attest.azure.net', AZURE],
  ['an Azure provider after our own verifier', 'VERIFIERS', { VERIFIERS: `built-in,${PROVIDER}` }],
  ['anchors of endorsement keys', 'EK_TRUST_ANCHORS', { EK_TRUST_ANCHORS: anchorPem }],
])('what others rely on is not: %s, by %s', (_, named, environment) => {
  const found = contradictions(environment)
  expect(found).toHaveLength(1)
  expect(found[0]).toMatch(/^--developer: /)
  expect(found[0]).toContain(named)
})
