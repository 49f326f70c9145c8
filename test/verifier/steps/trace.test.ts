import { describe, expect, test } from 'vitest'
import { comparison } from '../../../src/base/comparison.ts'
import { err, ok } from '../../../src/base/result.ts'
import { beginTrace, endWith, takeStep } from '../../../src/verifier/steps/trace.ts'

const refused = { reason: 'quote_nonce_mismatch' } as const

/** Whoever calls it pays for it. */
function counted() {
  const calls: string[] = []
  const compared = () => {
    calls.push('compared')
    return [comparison('challenge', Uint8Array.of(1), Uint8Array.of(2))]
  }
  return { calls, compared }
}

describe('a trace without values', () => {
  test('asks nobody what was compared, neither of what passed nor of what failed', async () => {
    const { calls, compared } = counted()
    const trace = beginTrace()
    await takeStep(trace, 'passed', () => ok(1), { compared, detail: () => 'which' })
    await takeStep(trace, 'failed', () => err({ ...refused, compared }))
    expect(calls).toEqual([])
    expect(trace.steps).toEqual([
      { step: 'passed', outcome: 'passed', detail: 'which' },
      { step: 'failed', outcome: 'failed', detail: refused.reason },
    ])
    expect(JSON.stringify(trace.failures)).toBe(JSON.stringify([refused]))
  })

  test('ends where something is refused', async () => {
    const trace = beginTrace()
    const others = () => Promise.reject(new Error('a step after the end'))
    expect(await endWith(trace, err(refused), others)).toEqual(err(refused))
  })
})

describe('a trace with values', () => {
  test('has those of what passed and of what failed', async () => {
    const { calls, compared } = counted()
    const trace = beginTrace({ withValues: true })
    await takeStep(trace, 'passed', () => ok(1), { compared })
    await takeStep(trace, 'failed', () => err({ ...refused, compared }))
    await takeStep(trace, 'compared nothing', () => ok(1))
    expect(calls).toHaveLength(2)
    const values = [{ what: 'challenge', expected: '01', found: '02' }]
    expect(trace.steps.map((step) => step.compared)).toEqual([values, values, undefined])
  })

  test('says of what cannot be checked that it was not, unless it failed', async () => {
    const unchecked = { here: 'only elsewhere', there: 'only elsewhere' }
    const trace = beginTrace({ unchecked })
    await takeStep(trace, 'here', () => ok(1))
    await takeStep(trace, 'there', () => err(refused))
    expect(trace.steps.map(({ outcome }) => outcome)).toEqual(['unchecked', 'failed'])
    expect(trace.steps[0]?.detail).toBe('only elsewhere')
  })

  test('goes on after a refusal where that is asked for, and the refusal stays', async () => {
    const trace = beginTrace({ goesOn: true })
    const others = async () => takeStep(trace, 'other', () => ok(1))
    expect(await endWith(trace, err(refused), others)).toEqual(err(refused))
    expect(trace.steps.map(({ step }) => step)).toEqual(['other'])
  })
})
