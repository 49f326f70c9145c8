import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeResult, TIER_OF } from '../../../src/access/ear/ear.ts'
import { readEar } from '../../../src/access/ear/read-ear.ts'
import type { AttestationClaims } from '../../../src/appraisal/claims.ts'
import { TRUST_MAPPING } from '../../../src/appraisal/trust-mapping.ts'
import { CLAIM_LABELS, tierOf } from '../../../src/appraisal/trust-vector.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { HEALTHY, NOW, referenceValues, withoutClaim } from '../../policy/healthy-device.ts'
import { attestationOf } from '../../store/fixtures.ts'
import { expectOk } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const policy = expectOk(compilePolicy(BASELINE_POLICY))
const { attestation } = attestationOf({ deviceId: 'dev_x' })

function resultOf(claims: AttestationClaims, verdict: keyof typeof TIER_OF = 'trusted') {
  return describeResult({
    ...{ issuer: 'https://countersign.example', deviceId: 'dev_x', verdict, now: NOW },
    attestation: { ...attestation, claims, validUntil: new Date(NOW.getTime() + 60_000) },
    rules: { policy, referenceValues: referenceValues() },
  })
}

test('a healthy device is affirmed, with every value of the vector', () => {
  const ear = resultOf(HEALTHY)
  expect(ear.ear_status).toBe('affirming')
  expect(ear.submods.device?.ear_trustworthiness_vector).toEqual({
    ...{ 'instance-identity': 2, configuration: 2, executables: 2, hardware: 2 },
  })
})

describe('a status is the worse of evidence and verdict', () => {
  test.each(Object.entries(TIER_OF))('%s allows %s at the best', (verdict, tier) => {
    expect(resultOf(HEALTHY, verdict as keyof typeof TIER_OF).ear_status).toBe(tier)
  })

  test('whatever the verdict, bad evidence is told', () => {
    expect(resultOf({ ...HEALTHY, hvciEnabled: false }).ear_status).toBe('warning')
    expect(resultOf({ ...HEALTHY, secureBootEnabled: false }).ear_status).toBe('contraindicated')
  })

  test('a claim that is missing is left out, and never taken for affirming', () => {
    const ear = resultOf(withoutClaim('aikValidated'))
    expect(ear.ear_status).toBe('none')
    expect(ear.submods.device?.ear_trustworthiness_vector).not.toHaveProperty('hardware')
    const nothing = resultOf({})
    expect(nothing.ear_status).toBe('none')
    expect(nothing.submods.device).not.toHaveProperty('ear_trustworthiness_vector')
  })
})

test('what is written is read, and with the same status', () => {
  for (const claims of [HEALTHY, {}, { ...HEALTHY, secureBootEnabled: false }]) {
    const ear = resultOf(claims)
    expect(expectOk(readEar(JSON.parse(JSON.stringify(ear)))).status).toBe(ear.ear_status)
  }
})

const ROWS = Object.entries(TRUST_MAPPING).flatMap(([name, rows]) => {
  const label = CLAIM_LABELS[name as keyof typeof TRUST_MAPPING]
  return rows.map(({ value, when }) => ({ label, value, when, tier: tierOf(value) }))
})

test('the page of relying parties has the mapping that the appraisal goes by', () => {
  const page = readFileSync('docs/relying-parties.md', 'utf8')
  const rows = page.split('\n').filter((line) => /^\| `[a-z-]+` \| \d+ \|/.test(line))
  const expected = ROWS.map(({ label, value, when, tier }) => {
    return `| \`${label}\` | ${value} | ${tier} | ${when} |`
  })
  expect(rows).toEqual(expected)
})

describeVectors('AR4SI', () => {
  test('each value of the mapping is one that AR4SI defines for its claim', () => {
    const { claims } = vectorJson('rats/ar4si-values.json')
    for (const { label, value } of ROWS) {
      expect(claims[label].values, `${label} ${value}`).toHaveProperty([String(value)])
    }
  })
})
