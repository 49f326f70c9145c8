import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  judgeVerifier,
  MIN_LASTING_MS,
  MIN_ROUNDS,
} from '../../../src/operations/jobs/judge-outage.ts'
import type { VerifierObservation } from '../../../src/store/system/verifier-observations.ts'
import { START } from '../../support/service.ts'

const ago = (ms: number) => new Date(START.getTime() - ms)

function found(changes: Partial<VerifierObservation> = {}): VerifierObservation {
  return {
    issuer: 'https://contoso.eus.attest.azure.net',
    sign: 'answers',
    reporter: 'a',
    failure: 'provider_unreachable',
    since: ago(MIN_LASTING_MS),
    rounds: MIN_ROUNDS,
    at: START,
    expiresAt: START,
    ...changes,
  }
}

const stateOf = (...observations: readonly VerifierObservation[]) =>
  judgeVerifier(observations, START).state

describe('a verifier', () => {
  test('of which nothing is known is neither well nor suspected', () => {
    expect(stateOf()).toBe('unclear')
  })

  test('that fails often enough and for long enough is suspected, and it is said why', () => {
    const other = found({
      reporter: 'b',
      failure: 'provider_timed_out',
      since: ago(90_000),
      rounds: 5,
    })
    expect(judgeVerifier([found(), other], START)).toEqual({
      state: 'suspected',
      suspicion: {
        sign: 'answers',
        since: ago(90_000),
        rounds: MIN_ROUNDS + 5,
        processes: 2,
        failures: ['provider_unreachable', 'provider_timed_out'],
      },
    })
  })

  test('that fails once in each of two processes is suspected', () => {
    const once = { rounds: 1 }
    expect(stateOf(found(once), found({ ...once, reporter: 'b' }))).toBe('suspected')
  })

  test('that has failed once is not, however long ago, nor one that has for less than a minute', () => {
    expect(stateOf(found({ rounds: 1, since: ago(3_600_000) }))).toBe('unclear')
    expect(stateOf(found({ rounds: 9, since: ago(MIN_LASTING_MS - 1) }))).toBe('unclear')
  })

  test('that one process finds well is well, whatever others find', () => {
    const well = found({ failure: null, reporter: 'b' })
    expect(stateOf(well)).toBe('well')
    expect(stateOf(well, found({ rounds: 1000, since: ago(1e9) }))).toBe('well')
  })

  test('that answers, and whose tokens nobody believes, is suspected', () => {
    const answers = found({ failure: null })
    const unbelieved = found({ sign: 'believed', failure: 'policy_not_pinned' })
    expect(judgeVerifier([answers, unbelieved], START)).toMatchObject({
      state: 'suspected',
      suspicion: { sign: 'believed' },
    })
    // Not well either, while that is not known for certain.
    expect(stateOf(answers, { ...unbelieved, rounds: 1 })).toBe('unclear')
    expect(stateOf(answers, unbelieved, { ...unbelieved, reporter: 'b', failure: null })).toBe(
      'well',
    )
  })

  test('is never suspected for what a single process has seen of a sign that another finds well', () => {
    const observation = fc.record({
      sign: fc.constantFrom('answers' as const, 'believed' as const),
      rounds: fc.integer({ min: 1, max: 1e6 }),
      since: fc.nat(1e9).map(ago),
    })
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 9 }), (failing) => {
        const rows = failing.map((one, index) => found({ ...one, reporter: `p${index}` }))
        const well = (['answers', 'believed'] as const).map((sign) => {
          return found({ sign, failure: null, reporter: 'well' })
        })
        expect(stateOf(...rows, ...well)).toBe('well')
      }),
    )
  })
})
