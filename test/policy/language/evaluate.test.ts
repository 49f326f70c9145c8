import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AttestationClaims, CLAIM_NAMES, CLAIMS } from '../../../src/appraisal/claims.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { type ClauseStatus, evaluatePolicy } from '../../../src/policy/language/evaluate.ts'
import type { PolicyInput } from '../../../src/policy/language/input.ts'
import { expectOk } from '../../support/refusal.ts'
import { appraised, HEALTHY, inputOf, policyOf, REQUEST, TEXTS } from '../healthy-device.ts'

const SAMPLE = {
  bool: true,
  int: 4,
  text: 'x',
  texts: ['x'],
  secureBootKeys: { db: 'x' },
} as const
const TEST_OF_KIND = {
  bool: (path: string) => `${path} || !${path}`,
  int: (path: string) => `${path} == 4 && ${path} < 5 && ${path} + 1 != 4`,
  text: (path: string) => `${path} == "x"`,
  texts: (path: string) => `${path}.all(i, i == "x")`,
  secureBootKeys: (path: string) => `${path}.db == "x"`,
}

function statusOf(
  expression: string,
  input: PolicyInput = inputOf(HEALTHY),
): ClauseStatus | undefined {
  return evaluatePolicy(policyOf(expression), input, { scope: 'request' })[0]?.status
}

describe('a claim that was never recorded', () => {
  test.each(CLAIM_NAMES)('%s: undecidable when absent, decidable when there', (name) => {
    const { kind } = CLAIMS[name]
    const expression = TEST_OF_KIND[kind](`attestation.${name}`)
    expect(statusOf(expression, inputOf({}))).toBe('undecidable')
    const claims = { [name]: SAMPLE[kind] } as AttestationClaims
    expect(statusOf(expression, inputOf(claims))).toBe('pass')
  })

  test.each([
    'attestation.enclaveAuthorId != "bad"',
    '!attestation.secureBootEnabled',
    'attestation.secureBootEnabled || attestation.vbsEnabled',
    '!(attestation.secureBootEnabled && true)',
    'attestation.secureBootEnabled ? true : true',
    'attestation.enclaveSvn in [1, 2]',
    '!(attestation.enclaveSvn in [1, 2])',
    'attestation.elamDrivers.all(d, false)',
    'attestation.elamDrivers.filter(d, true).size() == 0',
    '["a"].all(x, attestation.secureBootEnabled)',
    'attestation.enclave.listed == false',
    'attestation.status != "contraindicated"',
    'attestation.vector.hardware < 32',
    'attestation.secureBootKeys.dbx != "x"',
    'has(attestation.secureBootKeys.dbx)',
  ])('neither passes nor fails: %s', (expression) => {
    expect(statusOf(expression, inputOf({}))).toBe('undecidable')
  })

  test('does not matter where the rest decides, as CEL has it', () => {
    expect(statusOf('attestation.secureBootEnabled || true', inputOf({}))).toBe('pass')
    expect(statusOf('true || attestation.secureBootEnabled', inputOf({}))).toBe('pass')
    expect(statusOf('attestation.secureBootEnabled && false', inputOf({}))).toBe('fail')
  })

  test('can be asked for with has()', () => {
    expect(statusOf('has(attestation.secureBootEnabled)', inputOf({}))).toBe('fail')
    expect(statusOf('!has(attestation.enclaveSvn) || attestation.enclaveSvn > 3')).toBe('pass')
  })

  test('in `when` makes the clause undecidable, not inapplicable', () => {
    const clause = {
      id: 'a',
      when: 'attestation.bitlockerEnabled',
      require: 'true',
      severity: 'enforce',
      texts: TEXTS,
    }
    const policy = expectOk(compilePolicy({ name: 'x', clauses: [clause] }))
    const status = (claims: AttestationClaims) =>
      evaluatePolicy(policy, inputOf(claims), { scope: 'device' })[0]?.status
    expect(status({})).toBe('undecidable')
    expect(status({ bitlockerEnabled: false })).toBe('not_applicable')
    expect(status({ bitlockerEnabled: true })).toBe('pass')
  })

  test('is named in the cause', () => {
    const outcomes = evaluatePolicy(policyOf('attestation.vbsEnabled'), inputOf({}), {
      scope: 'device',
    })
    expect(outcomes[0]).toEqual({
      clause: 'clause_0',
      scope: 'device',
      severity: 'enforce',
      status: 'undecidable',
      cause: 'No such key: vbsEnabled',
    })
  })
})

test('a whole variable that is absent makes its clauses undecidable', () => {
  const now = new Date(0)
  expect(statusOf('attestation.vbsEnabled', { now })).toBe('undecidable')
  expect(statusOf('!has(attestation.vbsEnabled)', { now })).toBe('undecidable')
  expect(statusOf('device.ring == 1', { now })).toBe('undecidable')
  expect(statusOf('subject.id == "a"', { now })).toBe('undecidable')
})

test('integers, times and lists compare as CEL has them', () => {
  for (const expression of [
    'attestation.enclaveSvn == 7 && attestation.enclaveSvn / 2 == 3',
    'attestation.attested_at < now && now - attestation.attested_at == duration("1h")',
    'attestation.valid_until > timestamp("2026-05-05T08:59:59Z")',
    'now.getDayOfWeek() == 1 && now.getHours() == 10',
    '"vip" in device.labels && device.labels.size() == 2',
    'device.labels.exists(l, l.startsWith("fin"))',
    'device.key_kind == "aik" && device.enrolment == "admitted" && device.ring < 50',
    '!has(device.owner) && !has(device.entra_device_id)',
    'attestation.vector.configuration == 2 && attestation.status == "affirming"',
    'attestation.issuer == "https://verifier.example" && attestation.policy_hash == "hash"',
  ]) {
    expect([expression, statusOf(expression)]).toEqual([expression, 'pass'])
  }
})

test('what a caller says is read by its own type', () => {
  for (const expression of [
    'subject.properties.level >= 3 && subject.properties.level == 3 && subject.properties.level < 3.5',
    '"staff" in subject.properties.groups',
    'subject.type == "user" && resource.id == "payroll" && action.name == "signin"',
    '!has(context.ip) && !has(action.properties.soft)',
  ]) {
    expect([expression, statusOf(expression)]).toEqual([expression, 'pass'])
  }
  expect(statusOf('subject.properties.level == "3"')).toBe('fail')
  expect(statusOf('subject.properties.level.startsWith("3")')).toBe('undecidable')
  expect(statusOf('subject.properties.level.matches("3")')).toBe('undecidable')
  expect(statusOf('subject.properties.constructor == "x"')).toBe('undecidable')
})

test('scope: the verdict on a device leaves clauses about requests out', () => {
  const policy = policyOf('subject.id == "alice"', 'attestation.vbsEnabled')
  const ids = (scope: 'device' | 'request') =>
    evaluatePolicy(policy, inputOf(HEALTHY), { scope }).map(({ clause }) => clause)
  expect(ids('device')).toEqual(['clause_1'])
  expect(ids('request')).toEqual(['clause_0', 'clause_1'])
})

describe('matches() takes linear time', () => {
  const subject = (id: string) =>
    inputOf(HEALTHY, { request: { ...REQUEST, subject: { ...REQUEST.subject, id } } })

  test.each(['(a+)+$', '(a|aa)+$', '(x+x+)+y', '^(([a-z])+.)+[A-Z]([a-z])+$'])('%s', (pattern) => {
    const input = subject(`${'a'.repeat(2_000)}${'x'.repeat(40)}!`)
    // Whoever goes back and forth in the text for these is not done in the lifetime of a star.
    expect(statusOf(`subject.id.matches("${pattern}")`, input)).toBe('fail')
  })

  test('and finds what it should', () => {
    expect(
      statusOf(String.raw`subject.id.matches("^[a-z]+@example\\.com$")`, subject('a@example.com')),
    ).toBe('pass')
    expect(statusOf('subject.id.matches("b")', subject('abc'))).toBe('pass')
    expect(statusOf('subject.id.matches("^b")', subject('abc'))).toBe('fail')
    expect(statusOf('subject.properties.x.matches("b")', subject('abc'))).toBe('undecidable')
    expect(statusOf('device.labels.exists(l, l.matches("^fin"))')).toBe('pass')
  })
})

test('no claims of any shape make an evaluation throw or an unknown claim pass', () => {
  const policy = expectOk(compilePolicy(BASELINE_POLICY))
  const value = fc.oneof(fc.boolean(), fc.integer(), fc.string(), fc.constant(null))
  const claims = fc.dictionary(fc.constantFrom(...CLAIM_NAMES), value)
  fc.assert(
    fc.property(claims, (wild) => {
      const read = wild as AttestationClaims
      const input = inputOf(HEALTHY)
      if (input.attestation === undefined) expect.unreachable()
      const attestation = { ...input.attestation, claims: read, result: appraised(read) }
      const outcomes = evaluatePolicy(policy, { ...input, attestation }, { scope: 'device' })
      expect(outcomes.map(({ clause }) => clause)).toEqual(policy.deviceClauses.map(({ id }) => id))
      for (const { clause, status } of outcomes) {
        if (status !== 'pass') continue
        const [, name = ''] =
          /^attestation\.(\w+)$/.exec(policy.clauseById.get(clause)?.require.source ?? '') ?? []
        if (name !== '') expect(wild).toHaveProperty(name, true)
      }
    }),
  )
})
