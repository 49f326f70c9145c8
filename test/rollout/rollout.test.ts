import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exceedsBudget } from '../../src/rollout/budget.ts'
import {
  DEFAULT_PLAN,
  followingStep,
  isEnforcing,
  isInStage,
  isOpen,
  nextStep,
  type Rollout,
  type RolloutPass,
  type RolloutPlan,
  type RolloutState,
  type RolloutStep,
} from '../../src/rollout/rollout.ts'
import { at, healthOf, rolloutOf } from './in-force-fixture.ts'

const LAST = DEFAULT_PLAN.stages.length - 1
/** Well after any stage that began at the start has baked. */
const BAKED = at(DEFAULT_PLAN.bakeSeconds)
const STATES = ['running', 'paused', 'halted', 'done', 'reverted'] as const
const PASSES = ['audit', 'enforce'] as const

function step(
  changes: Partial<Omit<Rollout, 'plan'>> & { readonly plan?: Partial<RolloutPlan> } = {},
  { health = healthOf(), now = BAKED }: Partial<Parameters<typeof nextStep>[1]> = {},
): RolloutStep {
  const plan = { ...DEFAULT_PLAN, ...changes.plan }
  return nextStep(rolloutOf({ ...changes, plan }), { health, now })
}

const stay = (why: string) => ({ kind: 'stay', why })
const HALT = { kind: 'halt', why: 'budget_exceeded' }
const EXCESS = { health: healthOf({ newlyDenied: 11 }) }

describe('the step after a check', () => {
  test('is the next stage when the stage was healthy for its whole time', () => {
    expect(step()).toEqual({ kind: 'enter', pass: 'audit', stage: 1 })
    expect(step({ pass: 'enforce', stage: 2 })).toEqual({
      kind: 'enter',
      pass: 'enforce',
      stage: 3,
    })
  })

  test('is the beginning of the enforce pass after the last stage of the audit', () => {
    expect(step({ stage: LAST })).toEqual({ kind: 'enter', pass: 'enforce', stage: 0 })
  })

  test('is the end after the last stage of the enforce pass', () => {
    expect(step({ pass: 'enforce', stage: LAST })).toEqual({ kind: 'complete' })
  })

  test.each(['halted', 'done', 'reverted'] as const)(
    'is none once it is %s, whatever was found',
    (state) => {
      expect(step({ state })).toEqual(stay('not_running'))
      expect(step({ state }, EXCESS)).toEqual(stay('not_running'))
    },
  )

  test('is none while it is paused', () => {
    expect(step({ state: 'paused' })).toEqual(stay('not_running'))
    expect(step({ state: 'paused' }, { health: null })).toEqual(stay('not_running'))
  })

  test('is none without a check', () => {
    expect(step({}, { health: null })).toEqual(stay('not_checked'))
  })

  test('is none before the stage has baked, up to that instant', () => {
    const before = new Date(BAKED.getTime() - 1)
    expect(step({}, { now: before })).toEqual(stay('baking'))
    expect(step({}, { now: BAKED }).kind).toBe('enter')
    expect(step({ since: at(1) }, { now: BAKED })).toEqual(stay('baking'))
  })

  test('is none on a clock that stands before the stage', () => {
    expect(step({}, { now: at(-5) })).toEqual(stay('baking'))
  })

  test('is none while too few devices were compared, unless half of all were', () => {
    const sample = (compared: number, devices: number) =>
      step({}, { health: healthOf({ compared, devices }) })
    expect(sample(99, 5000)).toEqual(stay('sample_too_small'))
    expect(sample(100, 5000).kind).toBe('enter')
    expect(sample(49, 100)).toEqual(stay('sample_too_small'))
    expect(sample(50, 100).kind).toBe('enter')
    expect(sample(0, 3)).toEqual(stay('sample_too_small'))
    expect(sample(1, 3).kind).toBe('enter')
    expect(sample(0, 1).kind).toBe('enter')
    expect(sample(0, 0).kind).toBe('enter')
  })

  test('is none while it waits for somebody to promote it', () => {
    expect(step({ plan: { promotion: 'by_hand' } })).toEqual(stay('waits_for_promotion'))
  })

  test.each(PASSES)('is a halt from every stage of the %s pass with too much lost', (pass) => {
    for (let stage = 0; stage <= LAST; stage++) {
      expect(step({ pass, stage }, EXCESS)).toEqual(HALT)
      expect(step({ pass, stage, state: 'paused' }, EXCESS)).toEqual(HALT)
    }
  })

  test('is a halt whatever it would have waited for', () => {
    const hours = { from: 0, to: 0, days: [] }
    const waiting = { promotion: 'by_hand', hours } as const
    const health = healthOf({ newlyDenied: 1000, compared: 1, devices: 5000 })
    expect(step({ plan: waiting }, { health, now: at(0) })).toEqual(HALT)
  })
})

describe('working hours', () => {
  const NINE_TO_FIVE = { from: 9, to: 17, days: [1, 2, 3, 4, 5] }
  const inHours = (hours: RolloutPlan['hours'], time: string) =>
    step({ since: new Date(0), plan: { hours } }, { now: new Date(time) }).kind === 'enter'

  test.each([
    ['Monday before', '2026-05-04T08:59:59.999Z', false],
    ['Monday at the beginning', '2026-05-04T09:00:00Z', true],
    ['Monday in the last moment', '2026-05-04T16:59:59.999Z', true],
    ['Monday at the end', '2026-05-04T17:00:00Z', false],
    ['Friday', '2026-05-08T12:00:00Z', true],
    ['Saturday', '2026-05-09T12:00:00Z', false],
    ['Sunday', '2026-05-10T12:00:00Z', false],
  ])('%s', (_name, time, expected) => {
    expect(inHours(NINE_TO_FIVE, time)).toBe(expected)
  })

  test('are told as such', () => {
    const plan = { hours: NINE_TO_FIVE }
    const now = new Date('2026-05-09T12:00:00Z')
    expect(step({ plan }, { now })).toEqual(stay('outside_hours'))
  })

  test('are hours of UTC, whatever the offset in which a time is written', () => {
    expect(inHours(NINE_TO_FIVE, '2026-05-05T01:30:00+09:00')).toBe(true)
    expect(inHours(NINE_TO_FIVE, '2026-05-04T12:00:00-06:00')).toBe(false)
  })

  test('of whole days end and begin at midnight', () => {
    const sundays = { from: 0, to: 24, days: [7] }
    expect(inHours(sundays, '2026-05-09T23:59:59.999Z')).toBe(false)
    expect(inHours(sundays, '2026-05-10T00:00:00Z')).toBe(true)
    expect(inHours(sundays, '2026-05-10T23:59:59.999Z')).toBe(true)
    expect(inHours(sundays, '2026-05-11T00:00:00Z')).toBe(false)
  })

  test('of no length and on no day never come', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: at(0), max: at(10 ** 9) }), (time) => {
        expect(inHours({ from: 9, to: 9, days: [1, 2, 3, 4, 5, 6, 7] }, time.toISOString())).toBe(
          false,
        )
        expect(inHours({ from: 0, to: 24, days: [] }, time.toISOString())).toBe(false)
      }),
    )
  })
})

describe('a device is in the stage', () => {
  const plan = {
    ...DEFAULT_PLAN,
    stages: [
      { percent: 0, labels: ['pilot', 'it'] },
      { percent: 5, labels: [] },
      { percent: 100, labels: [] },
    ],
  }
  const isIn = (stage: number, ring: number, ...labels: string[]) =>
    isInStage({ plan, stage }, { ring, labels })

  test('by its ring, which is below the share', () => {
    expect(isIn(1, 4)).toBe(true)
    expect(isIn(1, 5)).toBe(false)
    expect(isIn(2, 99)).toBe(true)
    expect(isIn(0, 0)).toBe(false)
  })

  test('by any of its labels', () => {
    expect(isIn(0, 99, 'other', 'it')).toBe(true)
    expect(isIn(0, 0, 'other')).toBe(false)
  })

  test('if it was in one before', () => {
    expect(isIn(1, 99, 'pilot')).toBe(true)
    fc.assert(
      fc.property(
        fc.array(fc.record({ percent: fc.nat(100), labels: fc.subarray(['a', 'b', 'c']) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.record({ ring: fc.nat(99), labels: fc.subarray(['a', 'b', 'd']) }),
        (stages, device) => {
          const within = stages.map((_, stage) =>
            isInStage({ plan: { ...DEFAULT_PLAN, stages }, stage }, device),
          )
          const first = within.indexOf(true)
          expect(within).toEqual(stages.map((_, stage) => first !== -1 && stage >= first))
        },
      ),
    )
  })
})

test('a rollout is open and enforcing in these states and passes only', () => {
  expect(STATES.filter(isOpen)).toEqual(['running', 'paused'])
  const enforcing = STATES.flatMap((state) =>
    PASSES.filter((pass) => isEnforcing(rolloutOf({ state, pass }))).map((pass) => [state, pass]),
  )
  expect(enforcing).toEqual([
    ['running', 'enforce'],
    ['paused', 'enforce'],
  ])
})

/** What the store does with a step. */
function take(rollout: Rollout, taken: RolloutStep, now: Date): Rollout {
  switch (taken.kind) {
    case 'stay':
      return rollout
    case 'halt':
      return { ...rollout, state: 'halted' }
    case 'complete':
      return { ...rollout, state: 'done' }
    case 'enter':
      return { ...rollout, pass: taken.pass, stage: taken.stage, since: now }
  }
}

const placeOf = ({ pass, stage }: { pass: RolloutPass; stage: number }) => `${pass} ${stage}`
const stagesArbitrary = fc.array(
  fc.record({ percent: fc.nat(100), labels: fc.subarray(['a', 'b']) }),
  { minLength: 1, maxLength: 8 },
)

describe('a walk', () => {
  test('with healthy checks passes every stage twice, skips none and completes', () => {
    fc.assert(
      fc.property(
        stagesArbitrary,
        fc.array(fc.nat(5000), { minLength: 1, maxLength: 20 }),
        fc.nat(4000),
        (stages, intervals, bakeSeconds) => {
          const plan = { ...DEFAULT_PLAN, stages, bakeSeconds }
          let rollout = rolloutOf({ plan })
          const places = [placeOf(rollout)]
          let seconds = 0
          for (let round = 0; rollout.state === 'running'; round++) {
            if (round > 100_000) throw new Error('it never ends')
            seconds += 1 + (intervals[round % intervals.length] ?? 0)
            const now = at(seconds)
            const next = nextStep(rollout, { health: healthOf(), now })
            if (next.kind !== 'stay') {
              const baked = now.getTime() - rollout.since.getTime()
              expect(baked).toBeGreaterThanOrEqual(bakeSeconds * 1000)
            }
            rollout = take(rollout, next, now)
            if (next.kind === 'enter') places.push(placeOf(rollout))
          }
          expect(rollout.state).toBe('done')
          const all = PASSES.flatMap((pass) => stages.map((_, stage) => placeOf({ pass, stage })))
          expect(places).toEqual(all)
        },
      ),
    )
  })

  test('of checks and promotions never enforces before the audit has ended, nor after too much', () => {
    const event = fc.record({
      seconds: fc.nat(8000),
      newlyDenied: fc.constantFrom(0, 0, 0, 0, 10, 11, 500),
      compared: fc.constantFrom(0, 50, 100, 1000, 1000),
      isUnchecked: fc.boolean(),
      by: fc.constantFrom('check', 'check', 'check', 'promotion', 'pause', 'resume'),
    })
    fc.assert(
      fc.property(stagesArbitrary, fc.array(event, { maxLength: 60 }), (stages, events) => {
        const plan = { ...DEFAULT_PLAN, stages }
        let rollout = rolloutOf({ plan })
        const visited = new Set([placeOf(rollout)])
        let seconds = 0
        for (const { by, isUnchecked, newlyDenied, compared, ...event } of events) {
          seconds += event.seconds
          const now = at(seconds)
          const before = rollout
          if (by === 'pause' || by === 'resume') {
            const state: RolloutState = by === 'pause' ? 'paused' : 'running'
            if (isOpen(rollout.state)) rollout = { ...rollout, state }
            continue
          }
          const health = isUnchecked ? null : healthOf({ newlyDenied, compared })
          const next = by === 'check' ? nextStep(rollout, { health, now }) : followingStep(rollout)
          if (!isOpen(rollout.state)) continue
          rollout = take(rollout, next, now)
          if (next.kind === 'enter') expectNext(before, next)
          visited.add(placeOf(rollout))
          if (by === 'check' && health !== null && exceedsBudget(plan.budget, health, now)) {
            expect(rollout.state).toBe('halted')
          }
        }
        const audited = stages.every((_, stage) => visited.has(placeOf({ pass: 'audit', stage })))
        if (rollout.pass === 'enforce' || rollout.state === 'done') expect(audited).toBe(true)
      }),
    )
  })

  function expectNext(
    { pass, stage, plan }: Rollout,
    next: Extract<RolloutStep, { kind: 'enter' }>,
  ): void {
    const place = (p: RolloutPass, s: number) => PASSES.indexOf(p) * plan.stages.length + s
    expect(place(next.pass, next.stage)).toBe(place(pass, stage) + 1)
  }
})
