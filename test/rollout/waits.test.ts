import { describe, expect, test } from 'vitest'
import { DEFAULT_PLAN } from '../../src/rollout/rollout.ts'
import { waitOf } from '../../src/rollout/waits.ts'
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
