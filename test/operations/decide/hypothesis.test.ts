import { describe, expect, test } from 'vitest'
import { CLAIM_NAMES, CLAIMS } from '../../../src/appraisal/claims.ts'
import { completeQuestion, recordOfHypothesis } from '../../../src/operations/decide/hypothesis.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const NOW = new Date('2026-12-01T12:00:00Z')
const claimsOf = (claims: object) => recordOfHypothesis({ claims: { ...claims } }, NOW)

describe('a device that need not be', () => {
  test('has the claims that are said of it, and no other', () => {
    const record = expectOk(claimsOf({ enclaveSvn: 7, vbsEnabled: null, vsmReportPresent: true }))
    expect(record.attestation?.claims).toEqual({ enclaveSvn: 7, vbsReportPresent: true })
    expect(record).toMatchObject({ enrolment: 'admitted', quarantine: null, labels: [] })
  })

  test('has no claim that nobody knows, and none of another type', () => {
    const refused = expectRefusal(claimsOf({ bitlockerEnable: true }), 'claim_unknown')
    expect(refused).toMatchObject({ suggestion: 'bitlockerEnabled' })
    expectRefusal(claimsOf({ bitlockerEnabled: 'yes' }), 'claims_wrong_type')
    expectRefusal(claimsOf({ constructor: 1 }), 'claim_unknown')
  })

  test('may have any claim as its example shows it', () => {
    const examples = Object.fromEntries(CLAIM_NAMES.map((name) => [name, CLAIMS[name].example]))
    expect(expectOk(claimsOf(examples)).attestation?.claims).toEqual(examples)
  })

  test('asks for something where nothing is said of what', () => {
    const question = expectOk(completeQuestion({ context: { a: 1 } }, 'dev_x'))
    expect(question).toMatchObject({
      subject: { type: 'device', id: 'dev_x' },
      action: { name: 'access' },
      context: { a: 1 },
    })
  })
})
