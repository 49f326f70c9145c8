import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CLAIM_NAMES, CLAIMS } from '../../src/appraisal/claims.ts'
import { CLAIMS_REASONS, readAttestationClaims } from '../../src/appraisal/read-claims.ts'
import { BUILT_IN_KINDS } from '../../src/verifier/kinds/built-in.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const WRONG = { bool: 'true', int: 1.5, text: 7, texts: [7], secureBootKeys: [] }

test.each(CLAIM_NAMES)('%s of a wrong type is a refusal that names it', (name) => {
  const payload = { [name]: WRONG[CLAIMS[name].kind] }
  expect(expectRefusal(readAttestationClaims(payload), 'claims_wrong_type').claim).toBe(name)
})

test.each([null, Number.NaN, 2 ** 53, '4', true])('an integer claim of %s is refused', (value) => {
  expectRefusal(readAttestationClaims({ enclaveSvn: value }), 'claims_wrong_type')
})

test('what is absent stays absent, and unknown claims are dropped', () => {
  const payload = { secureBootEnabled: false, tpmVersion: 2, 'x-ms-ver': '1.0', __proto__: {} }
  const claims = expectOk(readAttestationClaims(payload))
  expect(claims).toEqual({ secureBootEnabled: false, tpmVersion: 2 })
})

test('a claim that only the prototype has is not there', () => {
  const payload = Object.create({ secureBootEnabled: true })
  expect(expectOk(readAttestationClaims(payload))).toEqual({})
})

test('both of the documented spellings of the enclave report claim are read', () => {
  expect(expectOk(readAttestationClaims({ vsmReportPresent: true }))).toEqual({
    vbsReportPresent: true,
  })
  const both = { vbsReportPresent: true, vsmReportPresent: false }
  expectRefusal(readAttestationClaims(both), 'claims_contradictory')
})

test('a set of one is read as a list, as Azure issues it without the brackets', () => {
  const claims = expectOk(readAttestationClaims({ codeIntegrityPolicy: 'AAAB' }))
  expect(claims.codeIntegrityPolicy).toEqual(['AAAB'])
})

test('texts and lists have a limit', () => {
  expectRefusal(readAttestationClaims({ bootRevListInfo: 'a'.repeat(20_000) }), 'claims_over_limit')
  const many = Array.from({ length: 200 }, () => 'a')
  expectRefusal(readAttestationClaims({ elamDrivers: many }), 'claims_over_limit')
  expectRefusal(readAttestationClaims({ elamDrivers: ['a'.repeat(3_000)] }), 'claims_over_limit')
  expectRefusal(readAttestationClaims({ elamDrivers: [1] }), 'claims_wrong_type')
  const keys = { secureBootKeys: { db: 'a'.repeat(3_000) } }
  expectRefusal(readAttestationClaims(keys), 'claims_over_limit')
})

test('only the known Secure Boot variables are kept', () => {
  const claims = expectOk(readAttestationClaims({ secureBootKeys: { db: 'x', other: 1 } }))
  expect(claims).toEqual({ secureBootKeys: { db: 'x' } })
  expectRefusal(readAttestationClaims({ secureBootKeys: { db: 1 } }), 'claims_wrong_type')
})

test('any payload is read or refused with a declared reason', () => {
  const value = fc.oneof(fc.jsonValue(), fc.array(fc.string()), fc.boolean(), fc.integer())
  const payload = fc.dictionary(fc.constantFrom(...CLAIM_NAMES, 'vsmReportPresent', 'x'), value)
  fc.assert(
    fc.property(payload, (claims) => {
      const result = readAttestationClaims(claims)
      if (result.ok) expect(CLAIM_NAMES).toEqual(expect.arrayContaining(Object.keys(result.value)))
      else expect(CLAIMS_REASONS).toContain(result.failure.reason)
    }),
  )
})

test('each is said to be made of the evidence that the verifier makes it of', () => {
  const made = BUILT_IN_KINDS.flatMap(({ name, claims }) =>
    [...claims.azure, ...claims.own].map((claim) => [claim, name] as const),
  )
  const told = CLAIM_NAMES.map((claim) => {
    return [claim, CLAIMS[claim].evidence === 'enclave_report' ? 'vbs' : 'tpm'] as const
  })
  expect(new Map(told)).toEqual(new Map(made))
  // What a boot log proves was measured at boot, and nothing else was.
  for (const { evidence, measuredAt } of Object.values(CLAIMS)) {
    expect(evidence === 'boot_log').toBe(measuredAt === 'boot')
  }
})

test('the examples are claims as a token has them', () => {
  const examples = Object.fromEntries(CLAIM_NAMES.map((name) => [name, CLAIMS[name].example]))
  expect(expectOk(readAttestationClaims(JSON.parse(JSON.stringify(examples))))).toEqual(examples)
})

describeVectors('claims of real tokens', () => {
  test('a documented TPM token is read', () => {
    const path = 'maa/docs-samples/tpm-token-healthattestation-csp.decoded.json'
    const claims = expectOk(readAttestationClaims(vectorJson(path).payload))
    expect(claims).toMatchObject({
      secureBootEnabled: true,
      hvciEnabled: true,
      bitlockerEnabledValue: 4,
      flightSigningNotEnabled: false,
    })
    expect(claims).not.toHaveProperty('cnf')
  })
})
