import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { analyseExpression } from '../../../src/policy/language/expression.ts'
import { bindVariables } from '../../../src/policy/language/input.ts'
import { type Outcomes, possibleOutcomes } from '../../../src/policy/language/possible-outcomes.ts'
import { DEVICE, HEALTHY, inputOf } from '../healthy-device.ts'

function analyse(source: string) {
  const analysis = analyseExpression(source)
  if (!analysis.ok) throw new Error(`${source}: ${analysis.problems[0].message}`)
  return analysis
}

function outcomesOf(source: string): Outcomes {
  return possibleOutcomes({ when: undefined, require: analyse(source).ast }).require
}

const part = fc.constantFrom(
  'true',
  'false',
  '1 / 0 == 1',
  '0.1 + 0.2 == 0.3',
  '"é" == "\\u00e9"',
  '2 - (3 - 1) == 0',
  '[1, 2].all(x, x > 0)',
  'attestation.vbsEnabled',
  'attestation.vbsEnabled == false',
  'attestation.hvciEnabled',
  'has(attestation.hvciEnabled)',
  'device.ring < 42',
  'device.ring == 42',
  '50 >= device.ring',
  'device.ring in [1, 42]',
  'device.ring >= 0',
  'attestation.enclaveSvn > -1',
  'attestation.enclaveSvn == 7',
  'device.owner == "a"',
  'device.owner != "b"',
  'device.owner in ["a", "b"]',
  'device.key_kind == "aik"',
  'device.labels.exists(l, l == "vip")',
  'context.risk == 1',
  'context.risk < 2',
  'context.risk == context.risk',
  'double(device.owner) == double(device.owner)',
  'double(device.owner) != double(device.owner)',
)

const formula = fc.letrec<{ any: string; two: string; three: string; not: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 4 }, part, tie('two'), tie('not'), tie('three')),
  two: fc
    .tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any'))
    .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
  three: fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  not: tie('any').map((inner) => `!(${inner})`),
})).any

const input = fc
  .record({
    vbsEnabled: fc.option(fc.boolean()),
    hvciEnabled: fc.option(fc.boolean()),
    enclaveSvn: fc.option(fc.constantFrom(0, 6, 7, 8)),
    owner: fc.constantFrom(null, 'a', 'b', 'NaN'),
    ring: fc.constantFrom(0, 1, 41, 42, 43, 50, 99),
    keyKind: fc.constantFrom('aik', 'cnf', 'tpm'),
    risk: fc.constantFrom(undefined, 1, 1.5, 2, 'x'),
  })
  .map(({ vbsEnabled, hvciEnabled, enclaveSvn, owner, ring, keyKind, risk }) => {
    const { vbsEnabled: _, hvciEnabled: __, enclaveSvn: ___, ...healthy } = HEALTHY
    const claims = {
      ...healthy,
      ...(vbsEnabled !== null && { vbsEnabled }),
      ...(hvciEnabled !== null && { hvciEnabled }),
      ...(enclaveSvn !== null && { enclaveSvn }),
    }
    const entity = { type: 't', id: 'i', properties: {} }
    const context = risk === undefined ? {} : { risk }
    return inputOf(claims, {
      device: { ...DEVICE, owner, ring, keyKind },
      request: {
        subject: entity,
        resource: entity,
        action: { name: 'n', properties: {} },
        context,
      },
    })
  })

describe('what an expression can come to', () => {
  test('covers whatever it does come to', () => {
    fc.assert(
      fc.property(formula, fc.array(input, { minLength: 1, maxLength: 8 }), (source, inputs) => {
        let analysis: ReturnType<typeof analyse>
        try {
          analysis = analyse(source)
        } catch {
          return
        }
        const { canHold, canFail, canBeUndecidable } = outcomesOf(source)
        for (const one of inputs) {
          const value = analysis.expression.evaluate(bindVariables(one))
          const isExpected = value === true ? canHold : value === false ? canFail : canBeUndecidable
          expect(isExpected, source).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a requirement counts only where the condition holds', () => {
    const when = analyse('device.ring < 5').ast
    const require = analyse('device.ring < 10').ast
    expect(possibleOutcomes({ when, require }).require).toEqual({
      canHold: true,
      canFail: false,
      canBeUndecidable: false,
    })
  })

  test('of too many parts is what they come to one by one', () => {
    const parts = Array.from(
      { length: 20 },
      (_, at) => `device.id == "${at}" || device.owner == "${at}"`,
    )
    expect(outcomesOf(`(${parts.join(' || ')}) || true`)).toEqual({
      canHold: true,
      canFail: false,
      canBeUndecidable: false,
    })
    expect(outcomesOf(parts.join(' || '))).toEqual({
      canHold: true,
      canFail: true,
      canBeUndecidable: true,
    })
  })
})
