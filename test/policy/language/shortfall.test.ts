import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { evaluatePolicy } from '../../../src/policy/language/evaluate.ts'
import { bindVariables } from '../../../src/policy/language/input.ts'
import { describeShown, findShortfalls } from '../../../src/policy/language/shortfall.ts'
import { expectOk } from '../../support/refusal.ts'
import { HEALTHY, inputOf, policyOf, REQUEST } from '../healthy-device.ts'

/** `reads | actual | required` of each shortfall. Whether a clause holds is what `evaluatePolicy` says. */
function shortfalls(expression: string, claims: object = {}): readonly string[] {
  const [clause] = policyOf(expression).clauses
  if (clause === undefined) throw new TypeError('a policy has a clause')
  const input = { ...inputOf({ ...HEALTHY, ...claims }), request: REQUEST }
  return findShortfalls(clause.require, bindVariables(input)).map(
    ({ reads, actual, required }) => `${reads} | ${describeShown(actual)} | ${required}`,
  )
}

describe('what a clause does not come out by', () => {
  test.each<readonly [string, object, readonly string[]]>([
    ['attestation.enclaveSvn >= 3', { enclaveSvn: 2 }, ['attestation.enclaveSvn | 2 | at least 3']],
    ['3 <= attestation.enclaveSvn', { enclaveSvn: 2 }, ['attestation.enclaveSvn | 2 | at least 3']],
    [
      '!(attestation.enclaveSvn < 3)',
      { enclaveSvn: 2 },
      ['attestation.enclaveSvn | 2 | at least 3'],
    ],
    ['attestation.enclaveSvn == 3', { enclaveSvn: 2 }, ['attestation.enclaveSvn | 2 | 3']],
    [
      'attestation.enclaveSvn != 2',
      { enclaveSvn: 2 },
      ['attestation.enclaveSvn | 2 | other than 2'],
    ],
    [
      'attestation.enclaveSvn in [3, 4]',
      { enclaveSvn: 2 },
      ['attestation.enclaveSvn | 2 | one of 3, 4'],
    ],
    [
      '!(attestation.enclaveSvn in [2])',
      { enclaveSvn: 2 },
      ['attestation.enclaveSvn | 2 | none of 2'],
    ],
    [
      'attestation.enclaveSvn > attestation.enclavePlatformSvn',
      { enclaveSvn: 2, enclavePlatformSvn: 9 },
      ['attestation.enclaveSvn | 2 | more than attestation.enclavePlatformSvn (9)'],
    ],
    [
      'attestation.secureBootEnabled',
      { secureBootEnabled: false },
      ['attestation.secureBootEnabled | false | true'],
    ],
    ['!attestation.secureBootEnabled', {}, ['attestation.secureBootEnabled | true | false']],
    [
      'attestation.vbsEnabled && attestation.enclaveSvn >= 3 && attestation.hvciEnabled',
      { enclaveSvn: 2, hvciEnabled: false },
      ['attestation.enclaveSvn | 2 | at least 3', 'attestation.hvciEnabled | false | true'],
    ],
    [
      'attestation.bitlockerEnabled || attestation.enclaveSvn >= 9',
      { bitlockerEnabled: false },
      ['attestation.bitlockerEnabled | false | true', 'attestation.enclaveSvn | 7 | at least 9'],
    ],
    [
      'attestation.vbsEnabled ? attestation.enclaveSvn > 8 : false',
      {},
      ['attestation.enclaveSvn | 7 | more than 8'],
    ],
    [
      'attestation.enclaveSvn >= 3',
      { enclaveSvn: undefined },
      ['attestation.enclaveSvn | absent | at least 3'],
    ],
    [
      'attestation.attested_at > timestamp("2026-06-01T00:00:00Z")',
      {},
      ['attestation.attested_at | 2026-05-04T09:00:00.000Z | more than 2026-06-01T00:00:00.000Z'],
    ],
    [
      'attestation.elamDrivers.exists(d, d == "x")',
      { elamDrivers: ['a'] },
      ['attestation.elamDrivers.exists(d, d == "x") | false | true'],
    ],
    [
      'device.labels == ["vip"]',
      {},
      expect.arrayContaining([expect.stringMatching(/^device\.labels \| .* \| vip$/)]),
    ],
    ['attestation.enclaveSvn >= 3', {}, []],
  ])('%s with %j', (expression, claims, expected) => {
    expect(shortfalls(expression, claims)).toEqual(expected)
  })

  test('is bounded, whatever a device sent', () => {
    const [one = ''] = shortfalls('attestation.enclaveAuthorId == "x"', {
      enclaveAuthorId: 'y'.repeat(5000),
    })
    expect(one.length).toBeLessThan(300)
  })

  test('is empty exactly where a clause of the baseline passes', () => {
    const policy = expectOk(compilePolicy(BASELINE_POLICY))
    const names = Object.keys(HEALTHY).filter((name) => typeof Object(HEALTHY)[name] === 'boolean')
    const claims = fc.record(
      Object.fromEntries(names.map((name) => [name, fc.constantFrom(true, false, undefined)])),
    )
    fc.assert(
      fc.property(claims, (changed) => {
        const input = inputOf({ ...HEALTHY, ...changed })
        const variables = bindVariables(input)
        for (const { clause, status } of evaluatePolicy(policy, input, { scope: 'device' })) {
          const compiled = policy.clauseById.get(clause) ?? expect.unreachable()
          expect([clause, findShortfalls(compiled.require, variables).length === 0]).toEqual([
            clause,
            status === 'pass',
          ])
        }
      }),
    )
  })
})
