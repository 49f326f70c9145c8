import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  POLICY_TEXT_REASONS,
  readPolicyText,
} from '../../../src/azure/provider-policy/policy-text.ts'
import { RECOMMENDED_POLICY } from '../../../src/azure/provider-policy/recommended.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorText } from '../../support/vectors.ts'

const policy = (issuance: string, version = '1.2', more = '') =>
  `version=${version};\n${more}authorizationrules{ => permit(); };\nissuancerules{\n${issuance}\n};`

describe('a policy', () => {
  test('tells its version and the claims that it issues', () => {
    const text = policy(
      'c:[type=="a", issuer=="AttestationService"] => issue(type="b", value=c.value);\n=> add(type="d", value=1);',
    )
    expect(expectOk(readPolicyText(text))).toEqual({
      version: '1.2',
      issued: new Set(['b']),
      unguardedLines: [],
    })
  })

  test('tells where a client could have a say', () => {
    const text = policy(`
      [type=="a"] => issue(type="b", value=true);
      [type=="a", issuer=="CustomClaim"] => issue(type="b", value=true);
      [type=="a", issuer!="CustomClaim"] => issue(type="b", value=true);
      ![type=="a"] => issue(type="b", value=false);`)
    expect(expectOk(readPolicyText(text)).unguardedLines).toEqual([5, 6, 7, 8])
  })

  test('may issue a claim that it found', () => {
    const text = policy('c:[type=="a", issuer=="AttestationService"] => issue(claim=c);')
    expectOk(readPolicyText(text))
  })

  const rule = 'c:[type=="a"] => issue(type="b", value=c.value);'
  test.each<readonly [string, string, number, RegExp]>([
    ['nothing', '', 1, /version/],
    ['a version of the future', policy('', '1.3'), 1, /a version of 1\.0, 1\.1, 1\.2/],
    ['no authorization', 'version=1.0;\nissuancerules{};', 2, /authorizationrules/],
    ['no issuance', 'version=1.0;\nauthorizationrules{};', 2, /issuancerules/],
    ['a section twice', `${policy('')}\nissuancerules{};`, 6, /not two/],
    ['a section of another name', policy('', '1.2', 'rules{};'), 2, /a section/],
    ['configuration in 1.0', policy('', '1.0', 'configurationrules{};'), 2, /a section/],
    ['no end of a section', policy('').slice(0, -1), 5, /';', found the end/],
    ['one = in a condition', policy('c:[type="a"] => issue(type="b", value=1);'), 4, /comparison/],
    ['== in an action', policy('=> issue(type=="b", value=1);'), 4, /'='/],
    ['an action without names', policy('=> issue("b", value=1);'), 4, /property/],
    ['an action of another section', policy('=> permit();'), 4, /add, issue, issueproperty/],
    ['a claim without a value', policy('=> issue(type="b");'), 4, /a type and a value/],
    ['a claim with two values', policy('=> issue(type="b", value=1, value=2);'), 4, /value once/],
    [
      'a claim that nobody found',
      policy('=> issue(type="b", value=c.value);'),
      4,
      /name of a claim/,
    ],
    [
      'a claim of the rule before',
      policy(`${rule}\n=> issue(type="b", value=c.value);`),
      5,
      /name/,
    ],
    [
      'a name for what is not there',
      policy('!c:[type=="a"] => add(type="b", value=1);'),
      4,
      /absent/,
    ],
    ['no arrow', policy('[type=="a"] issue(type="b", value=1);'), 4, /'=>'/],
    ['no end of a rule', policy('=> issue(type="b", value=1)'), 5, /';'/],
    ['an open text', policy('=> issue(type="b, value=1);'), 4, /cannot be read/],
    ['an unknown function', policy('=> issue(type="b", value=Hash("a"));'), 4, /a function/],
    ['too few arguments', policy('=> issue(type="b", value=JmesPath("a"));'), 4, /','/],
    ['too many arguments', policy('=> issue(type="b", value=NegateBool(true, true));'), 4, /'\)'/],
    ['functions in 1.1', policy('=> issue(type="b", value=NegateBool(true));', '1.1'), 4, /1\.2/],
    ['absence in 1.1', policy('![type=="a"] => issue(type="b", value=1);', '1.1'), 4, /1\.2/],
    ['a mark of order', `\ufeff${policy('')}`, 1, /cannot be read/],
    ['a semicolon of another script', policy('=> issue(type="b", value=1)；'), 4, /cannot be read/],
    [
      'functions without end',
      policy(`=> issue(type="b", value=${'NegateBool('.repeat(40)}true${')'.repeat(40)});`),
      4,
      /fewer functions/,
    ],
  ])('is none with %s', (_, text, line, problem) => {
    const failure = expectRefusal(readPolicyText(text), 'azure_policy_malformed')
    expect(failure.line).toBe(line)
    expect(failure.problem).toMatch(problem)
  })

  test('has a size that its answers bear', () => {
    const text = policy(`//${' '.repeat(50_000)}`)
    expectRefusal(readPolicyText(text), 'azure_policy_too_large')
  })

  test('cut off anywhere is none, and no text makes the reader fail', () => {
    for (let end = 0; end < RECOMMENDED_POLICY.trimEnd().length; end += 37) {
      expectRefusal(readPolicyText(RECOMMENDED_POLICY.slice(0, end)), 'azure_policy_malformed')
    }
    const words = [
      '=>',
      '==',
      '"',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      ';',
      'c',
      ':',
      ',',
      '&&',
      '!',
      'issue',
      'type',
      'value',
      '1.2',
      'version',
      '=',
      'issuancerules',
      ' ',
      '\n',
      '//',
      '\\',
    ]
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...words)).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(text, (one) => {
        for (const whole of [one, policy(one)]) {
          const result = readPolicyText(whole)
          if (!result.ok) expect(POLICY_TEXT_REASONS).toContain(result.failure.reason)
        }
      }),
    )
  })
})

describeVectors('the documented policies', () => {
  test.each([
    'policy-examples-2',
    'policy-version-1-0-1',
    'policy-version-1-1-1',
    'tpm-attestation-concepts-1',
    'tpm-attestation-concepts-2',
    'tpm-attestation-concepts-3',
    'tpm-attestation-concepts-4',
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `tpm-attestation-sample-policies-${number}`),
  ])('%s can be read', (name) => {
    expectOk(readPolicyText(vectorText(`maa/policy/${name}.txt`)))
  })

  test.each([
    ['claim-rule-functions-1', 'a condition with one ='],
    ['policy-examples-1', 'places to be filled in'],
    ['policy-examples-3', 'no issuance rules'],
    ['policy-version-1-2-1', 'a claim without the word type'],
    ['tpm-attestation-sample-policies-10', 'a claim issued by an authorization rule'],
  ])('%s has a mistake: %s', (name) => {
    expectRefusal(readPolicyText(vectorText(`maa/policy/${name}.txt`)), 'azure_policy_malformed')
  })
})
