import { describe, expect, test } from 'vitest'
import type { AttestationClaims } from '../../../src/appraisal/claims.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { evaluatePolicy } from '../../../src/policy/language/evaluate.ts'
import { expectOk } from '../../support/refusal.ts'
import { HEALTHY, inputOf, withoutClaim } from '../healthy-device.ts'

const policy = expectOk(compilePolicy(BASELINE_POLICY))

function unmet(claims: AttestationClaims): readonly string[] {
  return evaluatePolicy(policy, inputOf(claims), { scope: 'device' })
    .filter(({ status }) => status !== 'pass')
    .map(({ clause, status }) => `${clause} ${status}`)
}

test('it is about devices only and needs nothing but the attestation', () => {
  expect(policy.deviceClauses).toHaveLength(policy.clauses.length)
  expect(policy.usesDevice).toBe(false)
})

test('a healthy device meets all of it', () => {
  expect(unmet(HEALTHY)).toEqual([])
})

describe('each thing that is wrong fails its own clause', () => {
  const cases: readonly [AttestationClaims, string][] = [
    [{ secureBootEnabled: false }, 'secure_boot_on'],
    [{ codeIntegrityEnabled: false }, 'code_integrity_on'],
    [{ vbsEnabled: false }, 'vbs_on'],
    [{ hvciEnabled: false }, 'memory_integrity_on'],
    [{ bootDebuggingDisabled: false }, 'boot_debugging_off'],
    [{ osKernelDebuggingDisabled: false }, 'kernel_debugging_off'],
    [{ testSigningDisabled: false }, 'test_signing_off'],
    [{ notSafeMode: false }, 'not_safe_mode'],
    [{ notWinPE: false }, 'not_winpe'],
    [{ enclaveSvn: 4 }, 'enclave_current'],
    [{ enclaveFlags: 1 }, 'enclave_not_debuggable'],
    [{ iommuEnabled: false }, 'dma_protection_on'],
    [{ bitlockerEnabled: false }, 'bitlocker_on'],
    [{ aikValidated: false }, 'hardware_rooted_key'],
    [{ flightSigningNotEnabled: false }, 'flight_signing_off'],
  ]
  test.each(cases)('%o', (changes, clause) => {
    expect(unmet({ ...HEALTHY, ...changes })).toEqual([`${clause} fail`])
  })

  test('no enclave report leaves open what is said of the enclave', () => {
    expect(unmet({ ...HEALTHY, vbsReportPresent: false })).toEqual([
      'enclave_report_present fail',
      'enclave_listed undecidable',
      'enclave_current undecidable',
      'enclave_not_debuggable undecidable',
    ])
  })
})

test('a device that says nothing meets none of it and fails none of it', () => {
  expect(unmet({})).toEqual(policy.clauses.map(({ id }) => `${id} undecidable`))
})

test.each(['secureBootEnabled', 'enclaveFlags', 'enclaveAuthorId'] as const)(
  'without %s some clause is undecidable and none fails',
  (name) => {
    const left = unmet(withoutClaim(name))
    expect(left.length).toBeGreaterThan(0)
    expect(left.every((line) => line.endsWith('undecidable'))).toBe(true)
  },
)

test('every text is there in English and in German, and a boot-time repair says to restart', () => {
  for (const { texts, measuredAt } of policy.clauses) {
    expect(Object.keys(texts)).toEqual(['en', 'de'])
    if (measuredAt !== 'boot') continue
    expect(texts.en.repair).toMatch(/restart/i)
    expect(texts.de?.repair).toMatch(/neu|Neustart/)
  }
})
