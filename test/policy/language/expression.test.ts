import { describe, expect, test } from 'vitest'
import { CLAIM_NAMES } from '../../../src/appraisal/claims.ts'
import {
  compileExpression,
  type ExpressionFailure,
} from '../../../src/policy/language/expression.ts'
import { MEMBERS } from '../../../src/policy/language/input.ts'
import { POLICY_TYPES, POLICY_VARIABLES } from '../../../src/policy/language/variables.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

function refusal(source: string, reason: ExpressionFailure['reason']): ExpressionFailure {
  return expectRefusal(compileExpression(source), reason)
}

describe('a name that does not exist is a load error with a suggestion', () => {
  const cases: readonly [string, number, string | undefined][] = [
    ['attestation.secureBootEnbled', 13, 'secureBootEnabled'],
    ['has(attestation.secureBootEnbled)', 17, 'secureBootEnabled'],
    ['!has(attestation.enclave.listd) || true', 26, 'listed'],
    ['attestation["secureBootEnbled"]', 13, 'secureBootEnabled'],
    ['attestation.secureBootKeys.dby == "x"', 28, 'db'],
    ['secureBootEnabled', 1, 'attestation.secureBootEnabled'],
    ['labels.size() > 0', 1, 'device.labels'],
    ['atestation.vbsEnabled', 1, 'attestation'],
    ['device.labels.exist(l, l == "a")', 1, 'exists'],
    ['resource.typ == "x"', 10, 'type'],
    ['whatever', 1, undefined],
  ]
  test.each(cases)('%s', (source, column, suggestion) => {
    const failure = refusal(source, 'policy_name_unknown')
    expect(failure.suggestion).toBe(suggestion)
    expect(failure).toMatchObject({ line: 1, column })
  })

  test('the position counts lines', () => {
    const failure = refusal('attestation.vbsEnabled\n  && attestation.x', 'policy_name_unknown')
    expect(failure).toMatchObject({ line: 2, column: 18 })
  })
})

test.each([
  'attestation.enclaveSvn > "3"',
  'attestation.secureBootEnabled == 1',
  '1 + true == 2',
  'attestation.enclaveSvn.matches("1")',
  'attestation["secureBoot" + "Enabled"] == true',
  'device.labels.exists(device, device == "x")',
  '[attestation].exists(a, has(a.nothing))',
  'has(attestation)',
  '[1, "a"].size() == 2',
  '[].all(e, e > 0)',
  'attestation.enclaveSvn in [7u]',
])('a type error is a load error: %s', (source) => {
  refusal(source, 'policy_expression_type')
})

describe('what the parser reads otherwise than CEL is refused', () => {
  test.each([
    ['relations bind alike, from the left', 'true == 1 < 2'],
    ['in is a relation too', 'device.ring == 1 in [true]'],
    ['after other relations', 'device.ring in [1] != "<" in ["a"] == true'],
    ['a number that is no int', '9223372036854775808 > 0'],
    ['a number whose sign is not its own', '-(9223372036854775808) < 0'],
    ['the same behind a minus between two numbers', '5 -9223372036854775808 < 0'],
    ['bytes of a code unit', 'b"é" == b"\\303\\251"'],
    ['a raw text that goes on behind its end', String.raw`r"\" + " == "\" + "`],
  ])('%s', (_name, source) => {
    refusal(source, 'policy_expression_inexact')
  })

  test.each([
    '(device.ring == 1) == (2 < 3)',
    'device.ring < 3 == true',
    'device.ring in [1, 2] != false && 1 < 2',
    'device.owner == "a < b" ? 1 < 2 : 2 > 3',
    'device.owner == "a" // not < yet\n && 1 < 2',
    '-9223372036854775808 < 0 && - 9223372036854775808 < 0',
    String.raw`r"\d\\" == 'x' && b"\xe9" == b"\351"`,
  ])('and no more than that: %s', (source) => {
    expectOk(compileExpression(source))
  })
})

test('an expression must be bool, and one of unknown type is told how to become so', () => {
  refusal('attestation.enclaveSvn', 'policy_expression_not_boolean')
  const failure = refusal('subject.properties.vip', 'policy_expression_not_boolean')
  expect(failure.suggestion).toBe('subject.properties.vip == true')
})

test.each(['attestation.', 'true &&', '"open', 'a b', '(true', 'true)', '#'])(
  'a syntax error has a place: %s',
  (source) => {
    const failure = refusal(source, 'policy_expression_syntax')
    expect(failure.column).toBeGreaterThan(0)
  },
)

describe('what is not bounded is refused', () => {
  test.each([
    ['depth', `${'('.repeat(40)}true${')'.repeat(40)}`],
    ['nodes', Array.from({ length: 200 }, () => 'true').join('&&')],
    ['a long list', `1 in [${Array.from({ length: 200 }, () => '1').join(',')}]`],
    ['a loop in a loop', 'device.labels.all(x, device.labels.exists(y, x == y))'],
  ])('%s', (_name, source) => {
    refusal(source, 'policy_expression_too_complex')
  })

  test.each([
    ['doubling by binding', 'cel.bind(a, "x", cel.bind(b, a + a, b + b == ""))', 'bind'],
    ['splitting into characters', '"a".split("").size() == 1', 'split'],
    ['hiding from the type check', 'dyn(attestation.vbsEnabled) == "yes"', 'dyn'],
  ])('%s', (_name, source, name) => {
    expect(refusal(source, 'policy_name_unknown').message).toContain(name)
  })
})

describe('patterns of matches()', () => {
  test.each([
    ['computed', 'subject.id.matches(subject.type)'],
    ['unbalanced', 'subject.id.matches("(")'],
    ['a lookahead, which RE2 has not', 'subject.id.matches("(?=a)a")'],
    ['a back reference, which RE2 has not', String.raw`subject.id.matches("(a)\\1")`],
    ['nested counts', 'subject.id.matches("((a{100}){100}){100}")'],
    ['long', `subject.id.matches("${'a'.repeat(300)}")`],
    ['no text', 'subject.id.matches(1)'],
  ])('%s is refused', (_name, source) => {
    refusal(source, 'policy_pattern_invalid')
  })

  test('the function form does not get around it', () => {
    refusal('matches(subject.id, "a")', 'policy_name_unknown')
  })
})

test('every declared member of every type can be read, and nothing else stands in its table', () => {
  for (const [root, type] of Object.entries(POLICY_VARIABLES)) {
    for (const field of Object.keys(POLICY_TYPES[type] ?? {})) {
      expectOk(compileExpression(`has(${root}.${field})`))
    }
  }
  for (const [type, fields] of Object.entries(POLICY_TYPES)) {
    expect(Object.keys(MEMBERS[type] ?? {}).sort()).toEqual(Object.keys(fields).sort())
  }
  expect(Object.keys(POLICY_TYPES.Attestation ?? {})).toEqual(
    expect.arrayContaining([...CLAIM_NAMES]),
  )
})
