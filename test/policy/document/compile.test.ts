import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { EXPRESSION_REASONS } from '../../../src/policy/language/expression.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { documentOf, policyOf, TEXTS } from '../healthy-device.ts'

const CLAUSE = { id: 'a', require: 'true', severity: 'enforce', texts: TEXTS }

test('a policy is named by its content, whatever the order of its members', () => {
  const { hash } = expectOk(compilePolicy({ name: 'x', clauses: [CLAUSE] }))
  const { texts, ...rest } = CLAUSE
  expect(expectOk(compilePolicy({ clauses: [{ texts, ...rest }], name: 'x' })).hash).toBe(hash)
  expect(expectOk(compilePolicy({ name: 'y', clauses: [CLAUSE] })).hash).not.toBe(hash)
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
})

describe('what is not a policy', () => {
  const cases: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['a list', []],
    ['no clauses', { name: 'x', clauses: [] }],
    ['too many clauses', documentOf(...Array.from({ length: 129 }, () => 'true'))],
    ['an unknown member', { name: 'x', clauses: [CLAUSE], mode: 'enforce' }],
    ['a misspelt member of a clause', { name: 'x', clauses: [{ ...CLAUSE, wehn: 'true' }] }],
    ['an unknown severity', { name: 'x', clauses: [{ ...CLAUSE, severity: 'warn' }] }],
    ['an id with capitals', { name: 'x', clauses: [{ ...CLAUSE, id: 'SecureBoot' }] }],
    ['no English', { name: 'x', clauses: [{ ...CLAUSE, texts: { de: TEXTS.en } }] }],
    [
      'a text without repair',
      { name: 'x', clauses: [{ ...CLAUSE, texts: { en: { title: 'x' } } }] },
    ],
    [
      'a key that is no language',
      { name: 'x', clauses: [{ ...CLAUSE, texts: { ...TEXTS, English: TEXTS.en } }] },
    ],
    ['a long expression', documentOf(`true ${' '.repeat(2_000)}`)],
    ['half a surrogate pair', { name: '\ud800', clauses: [CLAUSE] }],
    ['a prototype in JSON', JSON.parse('{"name":"x","__proto__":{"clauses":[]}}')],
  ]
  test.each(cases)('%s', (_name, document) => {
    const failure = expectRefusal(compilePolicy(document), 'policy_document_invalid')
    expect('problems' in failure && failure.problems.length).toBeGreaterThan(0)
  })
})

test('two clauses of one id are refused', () => {
  const failure = expectRefusal(
    compilePolicy({ name: 'x', clauses: [CLAUSE, CLAUSE] }),
    'policy_clause_repeated',
  )
  expect(failure).toMatchObject({ clause: 'a' })
})

test('a document beyond the size limit is refused', () => {
  const text = { title: 'x'.repeat(160), repair: 'x'.repeat(1_000) }
  const clauses = Array.from({ length: 128 }, (_, index) => ({
    ...CLAUSE,
    id: `c${index}`,
    texts: { en: text, de: text, fr: text },
  }))
  expectRefusal(compilePolicy({ name: 'x', clauses }), 'policy_over_limit')
})

test('an expression failure says which clause and which member it is in', () => {
  const clauses = [CLAUSE, { ...CLAUSE, id: 'b', when: 'nonsense' }]
  const failure = expectRefusal(compilePolicy({ name: 'x', clauses }), 'policy_name_unknown')
  expect(failure).toMatchObject({ clause: 'b', member: 'when', line: 1, column: 1 })
})

describe('scope', () => {
  test.each(['subject.id', 'resource.id', 'action.name'])(
    'a clause that reads %s is about requests',
    (path) => {
      const policy = policyOf(`${path} == "x" && device.ring == 1`)
      expect(policy.clauses[0]?.scope).toBe('request')
      expect(policy.deviceClauses).toEqual([])
      expect(policy.usesDevice).toBe(false)
    },
  )

  test('context in `when` makes a clause one about requests', () => {
    const clause = { ...CLAUSE, when: 'has(context.ip)' }
    const policy = expectOk(compilePolicy({ name: 'x', clauses: [clause] }))
    expect(policy.clauses[0]?.scope).toBe('request')
  })

  test('a policy needs the device when a device clause reads it', () => {
    expect(
      policyOf('attestation.vbsEnabled', 'now > timestamp("2026-01-01T00:00:00Z")').usesDevice,
    ).toBe(false)
    expect(policyOf('attestation.vbsEnabled', '"vip" in device.labels').usesDevice).toBe(true)
    const clause = { ...CLAUSE, when: 'device.ring < 10' }
    expect(expectOk(compilePolicy({ name: 'x', clauses: [clause] })).usesDevice).toBe(true)
  })
})

test('a clause knows when the oldest thing that it reads was measured', () => {
  const { clauses } = policyOf(
    'attestation.secureBootEnabled && attestation.enclaveSvn > 1',
    'attestation.enclave.listed',
    'device.ring > 1',
  )
  expect(clauses.map(({ measuredAt }) => measuredAt)).toEqual(['boot', 'now', undefined])
})

test('any text as an expression compiles or is refused with a declared reason', () => {
  const words = fc.constantFrom(
    'attestation',
    '[]',
    '{}',
    '1u',
    '>',
    '+',
    'device',
    '.',
    '.vbsEnabled',
    '.labels',
    '(',
    ')',
    '[',
    ']',
    '"a"',
    '1',
    '1.5',
    'true',
    '&&',
    '||',
    '==',
    '<',
    '!',
    '-',
    '?',
    ':',
    ',',
    'has(',
    '.all(x, ',
    '.matches("a+")',
    '.matches(',
    'in',
    '{',
    '}',
    'x',
  )
  const source = fc.oneof(
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' ')),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  const declared = [...EXPRESSION_REASONS, 'policy_document_invalid']
  fc.assert(
    fc.property(source, (text) => {
      const result = compilePolicy(documentOf(text))
      if (!result.ok) expect(declared).toContain(result.failure.reason)
    }),
    { numRuns: 1_000 },
  )
})
