import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exceedsBudget, findExcess, type RolloutBudget } from '../../src/rollout/budget.ts'
import { DEFAULT_PLAN } from '../../src/rollout/rollout.ts'
import { at } from './in-force-fixture.ts'

describe('the budget', () => {
  const exceeds = (
    newlyDenied: number,
    compared: number,
    budget: RolloutBudget = DEFAULT_PLAN.budget,
  ) => exceedsBudget(budget, { newlyDenied, compared }, at(0))

  test('of devices is exceeded by one more, however many were compared', () => {
    for (const compared of [0, 99, 100_000]) {
      expect(exceeds(10, compared)).toBe(false)
      expect(exceeds(11, compared)).toBe(true)
    }
  })

  test('of a share is exceeded by more than it', () => {
    expect(exceeds(1, 100)).toBe(false)
    expect(exceeds(2, 100)).toBe(true)
    expect(exceeds(5, 500)).toBe(false)
    expect(exceeds(6, 500)).toBe(true)
  })

  test('of a share says nothing about a handful of devices', () => {
    expect(exceeds(2, 99)).toBe(false)
    expect(exceeds(3, 3)).toBe(false)
  })

  test('of nothing bears nothing', () => {
    const nothing = { devices: 0, share: 0 }
    expect(exceeds(0, 1000, nothing)).toBe(false)
    expect(exceeds(1, 1, nothing)).toBe(true)
  })

  test('that is larger never halts what a smaller one lets go on', () => {
    const budget = fc.record({
      devices: fc.nat(50),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(budget, budget, fc.nat(60), fc.nat(500), (a, b, newlyDenied, compared) => {
        const both = {
          devices: Math.max(a.devices, b.devices),
          share: Math.max(a.share, b.share),
        }
        if (exceeds(newlyDenied, compared, both)) {
          expect(exceeds(newlyDenied, compared, a)).toBe(true)
          expect(exceeds(newlyDenied, compared, b)).toBe(true)
        }
      }),
    )
  })
})

describe('what was accepted for later', () => {
  const tomorrow = at(86_400).toISOString()
  const budget = { devices: 10, share: 1, later: [{ at: tomorrow, devices: 500, share: 0 }] }
  const lost = (now: number, later: number) => ({
    ...{ newlyDenied: now + later, compared: 1000 },
    later: [{ at: tomorrow, devices: later }],
  })

  test('lets nobody be denied before', () => {
    expect(findExcess(budget, lost(10, 500), at(0))).toBeUndefined()
    expect(findExcess(budget, lost(11, 0), at(0))).toEqual(at(0))
    expect(findExcess(budget, lost(11, 500), at(0))).toEqual(at(0))
  })

  test('is what may be lost from then on, and no more', () => {
    expect(findExcess(budget, lost(510, 0), at(86_399))).toEqual(at(86_399))
    expect(findExcess(budget, lost(510, 0), at(86_400))).toBeUndefined()
    expect(findExcess(budget, lost(0, 511), at(0))).toEqual(at(86_400))
    expect(findExcess(budget, lost(0, 511), at(90_000))).toEqual(at(90_000))
  })

  test('counts as a share too', () => {
    const shares = { devices: 9999, share: 0.01, later: [{ at: tomorrow, devices: 0, share: 0.5 }] }
    expect(findExcess(shares, lost(11, 0), at(0))).toEqual(at(0))
    expect(findExcess(shares, lost(10, 500), at(0))).toBeUndefined()
    expect(findExcess(shares, lost(10, 501), at(0))).toEqual(at(86_400))
  })

  test('bears at each moment what was accepted until then, and halts at the first that is more', () => {
    const hour = fc.integer({ min: 0, max: 20 })
    const step = fc.record({ hour, devices: fc.nat(9) })
    const steps = fc
      .array(step, { maxLength: 4 })
      .map((all) => all.toSorted((a, b) => a.hour - b.hour))
    const timed = (all: readonly { hour: number; devices: number }[]) =>
      all.map(({ hour: when, devices }) => ({ at: at(when * 3600).toISOString(), devices }))
    fc.assert(
      fc.property(
        fc.nat(9),
        steps,
        fc.nat(9),
        steps,
        hour,
        (bears, accepted, first, later, now) => {
          const until = (all: typeof accepted, time: number) =>
            all.filter((one) => one.hour <= time).reduce((sum, { devices }) => sum + devices, 0)
          const hours = Array.from({ length: 21 }, (_, time) => time).filter((time) => time >= now)
          const isTooMuch = (time: number) =>
            first + until(later, time) > bears + until(accepted, time)
          const expected = hours.find((time) => {
            return isTooMuch(time) && (time === now || later.some((one) => one.hour === time))
          })
          const found = findExcess(
            {
              ...{ devices: bears, share: 1 },
              later: timed(accepted).map((one) => ({ ...one, share: 0 })),
            },
            {
              ...{ newlyDenied: first + until(later, 20), compared: 1000 },
              later: timed(later),
            },
            at(now * 3600),
          )
          expect(found).toEqual(expected === undefined ? undefined : at(expected * 3600))
        },
      ),
    )
  })
})
