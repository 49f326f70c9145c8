import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { bindVariables } from '../../../src/policy/language/input.ts'
import { requestReadsOf } from '../../../src/policy/language/request-reads.ts'
import { expectOk } from '../../support/refusal.ts'
import { NOW, TEXTS } from '../healthy-device.ts'

function readsOf(require: string, when?: string) {
  const clause = { id: 'one', require, severity: 'enforce', texts: TEXTS }
  const added = when === undefined ? clause : { ...clause, when }
  const [compiled] = expectOk(compilePolicy({ name: 'Policy', clauses: [added] })).clauses
  if (compiled === undefined) throw new TypeError('one clause was given')
  return requestReadsOf(compiled)
}

const request = {
  subject: { type: 'user', id: 'alice', properties: {} },
  resource: { type: 'application', id: 'payroll', properties: {} },
  action: { name: 'signin', properties: {} },
  context: { network: 'corporate', groups: ['a'] },
}
const variables = bindVariables({ request, now: NOW })

describe('members that a clause reads of a request', () => {
  test.each([
    ['context.network == "corporate"', ['context.network']],
    ['context["network"] == "corporate"', ['context.network']],
    ['has(context.geo.country)', ['context.geo.country']],
    ['context.a.b == 1 && context.a.c == 2 && context.a.b == 3', ['context.a.b', 'context.a.c']],
    ['context.groups.exists(one, one == "a")', ['context.groups']],
    ['context.list[int(context.at)] == 1', ['context.list', 'context.at']],
    ['resource.properties.tier == 1', ['resource.properties.tier']],
    [
      'action.properties["x-y"] == subject.properties.z',
      ['action.properties.x-y', 'subject.properties.z'],
    ],
    ['resource.id == "payroll" && action.name == "signin" && subject.type == "user"', []],
    ['size(context) > 0 && "network" in context', []],
    ['attestation.secureBootEnabled && context.mfa == true', ['context.mfa']],
  ])('%s', (source, paths) => {
    expect(readsOf(source).require.paths.map((path) => path.join('.'))).toEqual(paths)
  })

  test('are told apart by where they stand', () => {
    const { when, require } = readsOf('context.a == 1', 'context.b == 1')
    expect([when?.paths, require.paths]).toEqual([[['context', 'b']], [['context', 'a']]])
    expect(readsOf('context.a == 1').when).toBeUndefined()
  })
})

describe('comparisons of a clause with a request', () => {
  test.each([
    ['resource.id == "payroll"', true],
    ['resource.id == "payrol"', false],
    ['resource.id != "payroll"', true],
    ['resource.id != "payrol"', false],
    ['resource.id in ["hr", "payroll"]', true],
    ['resource.id in ["hr"]', false],
    ['"network" in context', true],
    ['"netwrok" in context', false],
    ['resource.id.startsWith("pay")', true],
    ['resource.id.matches("^hr-")', false],
    ['context.absent == "x"', false],
  ])('%s is met: %s', (source, isMet) => {
    const { comparisons } = readsOf(source).require
    expect(comparisons).toHaveLength(1)
    expect(comparisons.map((one) => one.isMet(variables))).toEqual([isMet])
  })

  test('are found within others, and said as they are written', () => {
    const { comparisons } = readsOf(
      '!(resource.id == "payroll") || "finance" in device.labels',
    ).require
    expect(comparisons.map(({ text }) => text)).toEqual(['resource.id == "payroll"'])
  })

  test.each(['attestation.enclaveSvn == 5', 'context.groups.exists(one, one == "a")', 'true'])(
    'there is none in %s that could be asked of a request alone',
    (source) => {
      expect(readsOf(source).require.comparisons).toEqual([])
    },
  )
})
