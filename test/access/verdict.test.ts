import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assess, verdictOfAttestation } from '../../src/access/assess.ts'
import type { TrustRecord, Verdict } from '../../src/access/trust-record.ts'
import { deriveVerdict, type VerdictRecord } from '../../src/access/verdict.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import type { ClauseOutcome } from '../../src/policy/language/evaluate.ts'
import {
  HEALTHY,
  NOW,
  policyOf,
  referenceValues,
  VALID_UNTIL,
  withoutClaim,
} from '../policy/healthy-device.ts'
import { BASELINE, QUARANTINE, recordOf } from './rules.ts'

function verdictOn(record: TrustRecord, now = NOW, rules = BASELINE) {
  const { verdict, reasons } = assess({ ...rules, record, now })
  return {
    verdict,
    reasons: reasons.map((r) => ('clause' in r ? `${r.code} ${r.clause}` : r.code)),
  }
}

describe('the verdict under the baseline', () => {
  test('a healthy device is trusted', () => {
    expect(verdictOn(recordOf())).toEqual({ verdict: 'trusted', reasons: [] })
  })

  const cases: readonly [string, AttestationClaims, Verdict, readonly string[]][] = [
    [
      'Secure Boot off',
      { ...HEALTHY, secureBootEnabled: false },
      'untrusted',
      ['clause_failed secure_boot_on'],
    ],
    [
      'a debuggable enclave',
      { ...HEALTHY, enclaveFlags: 2 },
      'untrusted',
      ['clause_failed enclave_not_debuggable'],
    ],
    [
      'an old enclave',
      { ...HEALTHY, enclaveSvn: 4 },
      'untrusted',
      ['clause_failed enclave_current'],
    ],
    [
      'a claim that is missing',
      withoutClaim('hvciEnabled'),
      'unknown',
      ['clause_undecidable memory_integrity_on'],
    ],
    ['a failed report clause', { ...HEALTHY, bitlockerEnabled: false }, 'trusted', []],
    ['a missing claim of a report clause', withoutClaim('aikValidated'), 'trusted', []],
  ]
  test.each(cases)('%s', (_name, claims, verdict, reasons) => {
    expect(verdictOn(recordOf(claims))).toEqual({ verdict, reasons })
  })

  test('what fails goes before what is undecidable', () => {
    const claims = { ...withoutClaim('secureBootEnabled'), testSigningDisabled: false }
    expect(verdictOn(recordOf(claims))).toEqual({
      verdict: 'untrusted',
      reasons: ['clause_failed test_signing_off', 'clause_undecidable secure_boot_on'],
    })
  })

  test('empty reference values trust nobody', () => {
    const rules = { ...BASELINE, referenceValues: referenceValues([]) }
    expect(verdictOn(recordOf(), NOW, rules)).toEqual({
      verdict: 'unknown',
      reasons: ['clause_undecidable enclave_listed', 'clause_undecidable enclave_current'],
    })
  })
})

describe('what decides before any clause', () => {
  test('a quarantine, whatever else holds', () => {
    for (const record of [
      recordOf(HEALTHY, { quarantine: QUARANTINE }),
      recordOf({}, { quarantine: QUARANTINE, enrolment: 'pending' }),
      recordOf({}, { quarantine: QUARANTINE, attestation: null }),
    ]) {
      expect(verdictOn(record)).toEqual({ verdict: 'quarantined', reasons: ['quarantined'] })
    }
  })

  test('a pending enrolment', () => {
    const record = recordOf(HEALTHY, { enrolment: 'pending' })
    expect(verdictOn(record)).toEqual({ verdict: 'unknown', reasons: ['enrolment_pending'] })
  })

  test('no attestation', () => {
    const record = recordOf(HEALTHY, { attestation: null })
    expect(verdictOn(record)).toEqual({ verdict: 'unknown', reasons: ['never_attested'] })
  })

  test('the end of validity, from that instant on', () => {
    const at = (offset: number) => verdictOn(recordOf(), new Date(VALID_UNTIL.getTime() + offset))
    expect(at(-1).verdict).toBe('trusted')
    expect(at(0)).toEqual({ verdict: 'stale', reasons: ['stale'] })
    expect(verdictOn(recordOf({ ...HEALTHY, vbsEnabled: false }), VALID_UNTIL).verdict).toBe(
      'stale',
    )
  })

  test('a time that is none is stale', () => {
    expect(verdictOn(recordOf(), new Date(Number.NaN)).verdict).toBe('stale')
  })
})

describe('the verdict with which an attestation is recorded', () => {
  const { attestation } = recordOf({ ...HEALTHY, secureBootEnabled: false })
  if (attestation === null) throw new TypeError('the record has an attestation')

  test('is the one that a decision gives on the record afterwards', () => {
    const record = recordOf(HEALTHY, { quarantine: QUARANTINE })
    const recorded = verdictOfAttestation({ ...BASELINE, attestation, record, now: NOW })
    expect(recorded).toEqual(assess({ ...BASELINE, record: { ...record, attestation }, now: NOW }))
    expect(recorded.verdict).toBe('quarantined')
  })

  test('without a record is the one on the evidence alone', () => {
    const recorded = verdictOfAttestation({ ...BASELINE, attestation, record: null, now: NOW })
    expect(recorded.verdict).toBe('untrusted')
    expect(recorded.reasons).toEqual([{ code: 'clause_failed', clause: 'secure_boot_on' }])
  })

  test('under a policy that reads the device needs the record', () => {
    const policy = policyOf('"vip" in device.labels')
    const input = { ...BASELINE, policy, attestation, now: NOW }
    expect(() => verdictOfAttestation({ ...input, record: null })).toThrow(TypeError)
    expect(verdictOfAttestation({ ...input, record: recordOf() }).verdict).toBe('trusted')
  })
})

const outcome: fc.Arbitrary<ClauseOutcome> = fc.record({
  clause: fc.string(),
  scope: fc.constantFrom('device', 'request'),
  severity: fc.constantFrom('enforce', 'report'),
  status: fc.constantFrom('pass', 'fail', 'undecidable', 'not_applicable'),
})
const validUntil = fc.integer({ min: -3, max: 3 }).map((s) => new Date(NOW.getTime() + s * 1_000))
const record: fc.Arbitrary<VerdictRecord> = fc.record({
  quarantine: fc.constantFrom(null, QUARANTINE),
  enrolment: fc.constantFrom('admitted', 'pending'),
  attestation: fc.option(fc.record({ validUntil })),
})

describe('properties of every verdict', () => {
  function holds(
    check: (given: { record: VerdictRecord; outcomes: ClauseOutcome[]; verdict: Verdict }) => void,
  ) {
    fc.assert(
      fc.property(record, fc.array(outcome, { maxLength: 6 }), (given, outcomes) => {
        const { verdict } = deriveVerdict({ record: given, clauseOutcomes: outcomes, now: NOW })
        check({ record: given, outcomes, verdict })
      }),
      { numRuns: 2_000 },
    )
  }
  const enforced = ({ scope, severity }: ClauseOutcome) =>
    scope === 'device' && severity === 'enforce'

  test('trusted never outlives its evidence', () => {
    holds(({ record: { attestation }, verdict }) => {
      if (verdict === 'trusted')
        expect(attestation?.validUntil.getTime()).toBeGreaterThan(NOW.getTime())
    })
  })

  test('trusted never goes with an enforced clause that fails or is undecidable', () => {
    holds(({ outcomes, verdict }) => {
      if (verdict !== 'trusted') return
      const statuses = outcomes.filter(enforced).map(({ status }) => status)
      expect(statuses).not.toContain('fail')
      expect(statuses).not.toContain('undecidable')
    })
  })

  test('quarantine always wins, and nothing else quarantines', () => {
    holds(({ record: { quarantine }, verdict }) => {
      expect(verdict === 'quarantined').toBe(quarantine !== null)
    })
  })

  test('untrusted needs a clause that failed', () => {
    holds(({ outcomes, verdict }) => {
      if (verdict === 'untrusted') {
        expect(outcomes.filter(enforced).map(({ status }) => status)).toContain('fail')
      }
    })
  })

  test('report clauses and request clauses move nothing', () => {
    holds(({ record: given, outcomes, verdict }) => {
      const clauseOutcomes = outcomes.filter(enforced)
      expect(deriveVerdict({ record: given, clauseOutcomes, now: NOW }).verdict).toBe(verdict)
    })
  })

  test('there are reasons exactly when the device is not trusted', () => {
    fc.assert(
      fc.property(record, fc.array(outcome), (given, clauseOutcomes) => {
        const { verdict, reasons } = deriveVerdict({ record: given, clauseOutcomes, now: NOW })
        expect(reasons.length === 0).toBe(verdict === 'trusted')
      }),
    )
  })
})

test('the life of a device takes no transition outside the drawing', () => {
  type Life = { record: VerdictRecord; outcomes: readonly ClauseOutcome[]; seconds: number }
  const rules = fc
    .array(outcome, { maxLength: 3 })
    .map((outcomes) => (life: Life) => ({ ...life, outcomes }))
  const attest = fc.tuple(fc.nat(4), rules).map(([valid, judge]) => (life: Life) => {
    const until = new Date(NOW.getTime() + (life.seconds + valid) * 1_000)
    return judge({ ...life, record: { ...life.record, attestation: { validUntil: until } } })
  })
  const standing = (changes: Partial<VerdictRecord>) => (life: Life) => ({
    ...life,
    record: { ...life.record, ...changes },
  })
  const event = fc.oneof(
    attest.map((apply) => ({ name: 'attest', apply })),
    rules.map((apply) => ({ name: 'rules', apply })),
    fc.constant({ name: 'time', apply: (life: Life) => ({ ...life, seconds: life.seconds + 1 }) }),
    fc.constant({ name: 'quarantine', apply: standing({ quarantine: QUARANTINE }) }),
    fc.constant({ name: 'release', apply: standing({ quarantine: null }) }),
    fc.constant({ name: 'admit', apply: standing({ enrolment: 'admitted' }) }),
  )
  const verdictOf = ({ record: given, outcomes, seconds }: Life) => {
    const now = new Date(NOW.getTime() + seconds * 1_000)
    return deriveVerdict({ record: given, clauseOutcomes: outcomes, now }).verdict
  }
  const leaves: Record<Verdict, readonly string[]> = {
    trusted: ['attest', 'rules', 'time', 'quarantine'],
    untrusted: ['attest', 'rules', 'time', 'quarantine'],
    unknown: ['attest', 'rules', 'time', 'quarantine', 'admit'],
    stale: ['attest', 'quarantine'],
    quarantined: ['release'],
  }
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      let life: Life = {
        record: { quarantine: null, enrolment: 'pending', attestation: null },
        outcomes: [],
        seconds: 0,
      }
      for (const { name, apply } of events) {
        const before = verdictOf(life)
        life = apply(life)
        const after = verdictOf(life)
        if (after !== before) expect(leaves[before]).toContain(name)
        if (name === 'time' && after !== before) expect(after).toBe('stale')
      }
    }),
    { numRuns: 1_000 },
  )
})
