import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PLAN, nextStep, type Rollout } from '../../src/rollout/rollout.ts'
import { earliestEnd, waitOf } from '../../src/rollout/waits.ts'
import { at, healthOf, rolloutOf } from './in-force-fixture.ts'

const BAKE = DEFAULT_PLAN.bakeSeconds

describe('what a rollout waits for', () => {
  test('is the end of its bake time, when it is known', () => {
    const rollout = rolloutOf({ health: healthOf() })
    expect(waitOf(rollout, at(60))).toEqual({ why: 'baking', until: at(BAKE) })
    expect(waitOf(rollout, at(BAKE))).toEqual({ why: 'next_check', until: null })
    expect(waitOf(rolloutOf({ state: 'paused' }), at(60))).toEqual({
      why: 'not_running',
      until: null,
    })
    expect(waitOf(rolloutOf(), at(60))).toEqual({ why: 'not_checked', until: null })
  })

  // The fixture begins on Monday the 4th of May 2026 at 10:00 UTC.
  test.each([
    ['later on the same day', { from: 15, to: 17, days: [1] }, '2026-05-04T15:00:00Z'],
    ['the next day that is one of them', { from: 8, to: 9, days: [3, 4] }, '2026-05-06T08:00:00Z'],
    ['Sunday', { from: 0, to: 24, days: [7] }, '2026-05-10T00:00:00Z'],
    ['the same day of the next week', { from: 8, to: 9, days: [1] }, '2026-05-11T08:00:00Z'],
  ])('is its next working hours: %s', (_, hours, opens) => {
    const plan = { ...DEFAULT_PLAN, hours }
    const rollout = rolloutOf({ plan, health: healthOf() })
    expect(waitOf(rollout, at(BAKE))).toEqual({ why: 'outside_hours', until: new Date(opens) })
    expect(waitOf(rollout, new Date(opens)).why).toBe('next_check')
  })
})

const STEP_SECONDS = 600

/** When a rollout that is always healthy is done, as its state machine takes it there step by step. */
function drive(rollout: Rollout, begun: Date): Date {
  let current: Rollout = { ...rollout, health: healthOf() }
  for (let now = begun; ; now = new Date(now.getTime() + STEP_SECONDS * 1000)) {
    for (;;) {
      const step = nextStep(current, { health: current.health, now })
      if (step.kind === 'complete') return now
      if (step.kind !== 'enter') break
      current = { ...current, pass: step.pass, stage: step.stage, since: now }
    }
  }
}

describe('how long a rollout takes', () => {
  test('is the bake time of every stage, twice', () => {
    expect(earliestEnd(rolloutOf(), at(0))).toEqual(at(10 * BAKE))
    const last = rolloutOf({ pass: 'enforce', stage: 4 })
    expect(earliestEnd(last, at(0))).toEqual(at(BAKE))
    // What has waited longer than it had to is done with the next check.
    expect(earliestEnd(last, at(3 * BAKE))).toEqual(at(3 * BAKE))
  })

  test('is not known where somebody has to promote it or let it go on, or it is over', () => {
    const plan = { ...DEFAULT_PLAN, promotion: 'by_hand' } as const
    expect(earliestEnd(rolloutOf({ plan }), at(0))).toBeUndefined()
    // Whenever it goes on, its stage bakes anew from then.
    expect(earliestEnd(rolloutOf({ state: 'paused' }), at(0))).toBeUndefined()
    expect(earliestEnd(rolloutOf({ state: 'halted' }), at(0))).toBeUndefined()
  })

  const hours = fc
    .record({
      from: fc.integer({ min: 0, max: 20 }),
      length: fc.integer({ min: 1, max: 4 }),
      days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
    })
    .map(({ from, length, days }) => ({ from, to: from + length, days }))

  test('is what the state machine takes that is always healthy', () => {
    const plans = fc.record({
      stages: fc.integer({ min: 1, max: 4 }),
      bake: fc.integer({ min: 0, max: 30 }),
      hours: fc.option(hours),
      stage: fc.nat(3),
      pass: fc.constantFrom('audit' as const, 'enforce' as const),
      waited: fc.nat(20),
    })
    fc.assert(
      fc.property(plans, ({ stages, bake, hours, stage, pass, waited }) => {
        const plan = {
          ...DEFAULT_PLAN,
          stages: DEFAULT_PLAN.stages.slice(-stages),
          bakeSeconds: bake * STEP_SECONDS,
          hours,
        }
        const rollout = rolloutOf({ plan, pass, stage: Math.min(stage, stages - 1) })
        const now = at(waited * STEP_SECONDS)
        expect(earliestEnd(rollout, now)).toEqual(drive(rollout, now))
      }),
    )
  })
})
