import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluatePolicy } from '../../../src/policy/language/evaluate.ts'
import { bindVariables } from '../../../src/policy/language/input.ts'
import { pathsIn, valueAt } from '../../../src/policy/language/read-paths.ts'
import { HEALTHY, inputOf, policyOf, REQUEST } from '../healthy-device.ts'

const reads = (source: string) => pathsIn(source).map((path) => path.join('.'))

describe('what an expression reads', () => {
  test.each<[string, readonly string[]]>([
    ['attestation.vbsEnabled', ['attestation.vbsEnabled']],
    ['attestation.enclave.svn_current', ['attestation.enclave.svn_current']],
    ['attestation["enclaveSvn"] >= 5', ['attestation.enclaveSvn']],
    ['has(attestation.aikTrustAnchor)', ['attestation.aikTrustAnchor']],
    ['"lab" in device.labels || now < timestamp("2027-01-01T00:00:00Z")', ['device.labels', 'now']],
    ['device.labels.exists(one, one == resource.id)', ['device.labels', 'resource.id']],
    ['context.network.zone == "a" && size(context) > 0', ['context.network.zone', 'context']],
    ['true || true', []],
    ['attestation.vbsEnable', []],
    ['(', []],
  ])('%s', (source, expected) => {
    expect(reads(source)).toEqual(expected)
  })

  test('has the values that stand there', () => {
    const request = { ...REQUEST, context: { 'a.b': { c: [1, null] }, nothing: null } }
    const variables = bindVariables(inputOf(HEALTHY, { request }))
    const valuesOf = (source: string) => pathsIn(source).map((path) => valueAt(variables, path))
    expect(valuesOf('attestation.enclaveSvn > 1')).toEqual([7])
    expect(valuesOf('attestation.enclave.name == "a"')).toEqual(['agent'])
    expect(valuesOf('device.labels == ["a"]')).toEqual([['finance', 'vip']])
    expect(valuesOf('context["a.b"].c == [1]')).toEqual([[1, null]])
    expect(valuesOf('context.nothing == 1 || context.toString == 1')).toEqual([
      undefined,
      undefined,
    ])
    expect(valuesOf('device.owner == "me"')).toEqual([undefined])
    expect(valuesOf('attestation.bootCounter > 1')).toEqual([undefined])
  })

  /** The evaluation itself is the witness: what it calls equal is what was told. */
  test('is what the evaluation reads', () => {
    const names = ['attestation.enclaveSvn', 'attestation.enclavePlatformSvn', 'device.ring']
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(50), (name, svn) => {
        const input = inputOf({ ...HEALTHY, enclaveSvn: svn })
        const [path] = pathsIn(`${name} == 0`)
        const value = path && valueAt(bindVariables(input), path)
        const policy = policyOf(`${name} == ${value}`)
        expect(evaluatePolicy(policy, input, { scope: 'device' })[0]?.status).toBe('pass')
      }),
    )
  })
})
