import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cause, keyOfCause } from '../../src/rollout/hold.ts'

/** Words that could be taken for parts of a key, and any text. */
const word = fc.oneof(
  fc.constantFrom('', ' ', 'a', 'a ', ' a', 'clause', 'stale', 'clause a', 'stale a', 'a\u0000'),
  fc.string({ maxLength: 3 }),
)
const cause: fc.Arbitrary<Cause> = fc.oneof(
  fc.record({ kind: fc.constant('clause' as const), clause: word }),
  fc.record({ kind: fc.constant('policy_not_pinned' as const), issuer: word }),
  fc.record({ kind: fc.constant('anchor_not_listed' as const), anchor: word }),
  fc.record({ kind: fc.constant('stale' as const), issuer: word }),
)

test('keys of causes are equal for equal causes and only for them', () => {
  const equal = fc.tuple(cause, cause)
  fc.assert(
    fc.property(equal, ([one, other]) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      expect(keyOfCause(one) === keyOfCause(other)).toBe(isSame)
      expect(keyOfCause(structuredClone(one))).toBe(keyOfCause(one))
    }),
    { numRuns: 5000 },
  )
})
