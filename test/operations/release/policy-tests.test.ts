import { describe, expect, test } from 'vitest'
import { runPolicyTests } from '../../../src/operations/release/policy-tests.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { AUTHOR, HEALTHY, policyOf, referenceValues, TEXTS } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const NOW = new Date('2026-12-01T12:00:00Z')

function run(policy: ReturnType<typeof policyOf>, tests: Json) {
  return runPolicyTests(tests, { policy, referenceValues: referenceValues(), now: NOW })
}

/** What each case is not as expected in, by its name. */
function differences(policy: ReturnType<typeof policyOf>, tests: Json) {
  const outcomes = expectOk(run(policy, tests))
  return Object.fromEntries(outcomes.map(({ name, differences }) => [name, differences]))
}

describe('the tests of a policy', () => {
  test('ask without a device where they say null', () => {
    const document = {
      name: 'Test',
      device: 'resource.id == "payroll"',
      clauses: [{ id: 'a', require: 'subject.id == "any"', severity: 'enforce', texts: TEXTS }],
    }
    const payroll = { resource: { type: 'application', id: 'payroll' } }
    const tests = {
      device: null,
      cases: [
        { name: 'open', decision: true },
        { name: 'guarded', question: payroll, decision: false, reasons: ['device_not_named'] },
        { name: 'with a device', device: {}, question: payroll, decision: false, reasons: ['a'] },
      ],
    }
    const found = differences(expectOk(compilePolicy(document)), tests)
    for (const one of Object.values(found)) expect(one).toEqual([])
  })

  const POLICY = policyOf(
    'attestation.vbsEnabled',
    'resource.id != "payroll" || "hr" in device.labels',
  )

  test('say what is decided for which device that asks for what', () => {
    const tests = {
      claims: HEALTHY,
      cases: [
        { name: 'healthy', decision: true, reasons: [] },
        { name: 'off', claims: { vbsEnabled: false }, decision: false, reasons: ['clause_0'] },
        { name: 'unsaid', claims: { vbsEnabled: null }, decision: false, reasons: ['clause_0'] },
        {
          name: 'payroll',
          question: { resource: { type: 'application', id: 'payroll' } },
          decision: false,
          reasons: ['clause_1'],
        },
        {
          name: 'payroll in hr',
          device: { labels: ['hr'] },
          question: { resource: { type: 'application', id: 'payroll' } },
          decision: true,
        },
        {
          name: 'quarantined',
          device: { quarantined: true },
          decision: false,
          reasons: ['quarantined'],
        },
        {
          name: 'pending',
          device: { enrolment: 'pending' },
          decision: false,
          reasons: ['enrolment_pending'],
        },
        { name: 'stale', valid_until: '2026-12-01T11:59:59Z', decision: false, reasons: ['stale'] },
      ],
    }
    for (const found of Object.values(differences(POLICY, tests))) expect(found).toEqual([])
  })

  test('tell what is not as expected, and what it is', () => {
    const tests = {
      claims: { vbsEnabled: false },
      cases: [
        { name: 'one', decision: true },
        { name: 'two', decision: false, reasons: ['clause_1'] },
      ],
    }
    expect(differences(POLICY, tests)).toEqual({
      one: [{ member: 'decision', expected: true, found: false }],
      two: [{ member: 'reasons', expected: ['clause_1'], found: ['clause_0'] }],
    })
  })

  test('bring their own reference values, or have those beside the policy', () => {
    const policy = policyOf('attestation.enclave.svn_current')
    const evidence = { vbsReportPresent: true, enclaveAuthorId: AUTHOR, enclaveSvn: 5 }
    const cases = [{ name: 'svn 5', decision: true }]
    expect(differences(policy, { claims: evidence, cases })).toEqual({ 'svn 5': [] })
    const enclaves = [{ name: 'agent', author_id: AUTHOR, minimum_svn: 6 }]
    const stricter = { claims: evidence, cases, reference_values: { enclaves } }
    expect(differences(policy, stricter)['svn 5']).toHaveLength(1)
  })

  test('know graces, and what is reported only', () => {
    const clause = { texts: TEXTS, require: 'attestation.vbsEnabled' }
    const policy = expectOk(
      compilePolicy({
        name: 'x',
        clauses: [
          { ...clause, id: 'in_grace', severity: 'enforce', grace_seconds: 3600 },
          { ...clause, id: 'told', severity: 'report' },
        ],
      }),
    )
    const common = { claims: { vbsEnabled: false }, reported: ['told'] }
    const tests = {
      in_force_since: '2026-11-01T00:00:00Z',
      cases: [
        {
          ...{ ...common, name: 'in it', decision: true, relief: ['in_grace'] },
          failing_since: { in_grace: '2026-12-01T11:30:00Z' },
        },
        {
          ...{ ...common, name: 'after it', decision: false, reasons: ['in_grace'], relief: [] },
          failing_since: { in_grace: '2026-12-01T10:30:00Z' },
        },
      ],
    }
    expect(differences(policy, tests)).toEqual({ 'in it': [], 'after it': [] })
  })

  test('say when: of a case, of all cases, or now', () => {
    const policy = policyOf('now < timestamp("2026-12-01T00:00:00Z")')
    const cases = [
      { name: 'now', decision: false },
      { name: 'before', at: '2026-11-30T23:59:59Z', decision: true },
    ]
    expect(differences(policy, { claims: {}, cases })).toEqual({ now: [], before: [] })
    const [first] = cases
    const at = '2026-11-01T00:00:00Z'
    const all = { claims: {}, at, cases: [{ ...first, decision: true }] }
    expect(differences(policy, all)).toEqual({ now: [] })
  })

  test.each<[string, Json, string]>([
    ['no object', 7, 'Invalid input: expected object, received number'],
    [
      'a member that there is not',
      { cases: [{ name: 'a', decision: true, reason: [] }] },
      'cases.0: there is no member "reason" here: leave it out',
    ],
    ['no decision', { cases: [{ name: 'a' }] }, 'cases.0.decision: is missing'],
    [
      'a claim that there is not',
      { cases: [{ name: 'a', decision: true, claims: { enclaveSvm: 1 } }] },
      'cases.0 (a): there is no claim enclaveSvm: did you mean enclaveSvn?',
    ],
    [
      'a claim of another type',
      { claims: { enclaveSvn: '7' }, cases: [{ name: 'a', decision: true }] },
      'cases.0 (a): the claim enclaveSvn has the wrong type',
    ],
    [
      'a question that is too large',
      {
        cases: [
          { name: 'a', decision: true, question: { context: { text: 'a'.repeat(100_000) } } },
        ],
      },
      'cases.0 (a): question: context is too large',
    ],
    [
      'reference values that are none',
      { reference_values: {}, cases: [{ name: 'a', decision: true }] },
      'reference_values: enclaves is missing',
    ],
  ])('are refused for %s', (_, tests, problem) => {
    const { problems } = expectRefusal(run(POLICY, tests), 'policy_tests_invalid')
    expect(problems).toEqual([problem])
  })
})
