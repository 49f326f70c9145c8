import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Assessment, assess } from '../../src/access/assess.ts'
import { HEALTHY } from '../policy/healthy-device.ts'
import { expectBounds } from './verdict-bounds.ts'
import {
  at,
  attest,
  clause,
  EVENTS,
  type Event,
  FIRST,
  judge,
  life,
  POLICIES,
  policyWith,
  reliefsOf,
  rulesOf,
  type World,
} from './verdict-world.ts'

type State = 'trusted' | 'untrusted' | 'unknown' | 'stale' | 'waiting' | 'quarantined'

function stateOf({ verdict, reasons }: Assessment): State {
  const isWaiting = reasons.some(({ code }) => {
    return code === 'enrolment_pending' || code === 'never_attested'
  })
  return isWaiting ? 'waiting' : verdict
}

const JUDGED = ['trusted', 'untrusted', 'unknown'] as const
const NOT_WAITING = [...JUDGED, 'stale'] as const

/** The drawing in src/access/verdict.ts. What is not here stays as it is. */
const DRAWN: Readonly<Record<Event['name'], Partial<Record<State, readonly State[]>>>> = {
  attest: { trusted: JUDGED, untrusted: JUDGED, unknown: JUDGED, stale: JUDGED, waiting: JUDGED },
  documents: { trusted: JUDGED, untrusted: JUDGED, unknown: JUDGED },
  'relief begins': {
    untrusted: ['trusted', 'unknown'],
    unknown: ['trusted', 'untrusted'],
    stale: JUDGED,
  },
  'relief ends': {
    trusted: ['untrusted', 'unknown', 'stale'],
    untrusted: ['unknown', 'stale'],
    unknown: ['untrusted', 'stale'],
  },
  clock: {
    trusted: ['untrusted', 'unknown', 'stale'],
    untrusted: ['unknown', 'stale'],
    unknown: ['untrusted', 'stale'],
  },
  quarantine: {
    trusted: ['quarantined'],
    untrusted: ['quarantined'],
    unknown: ['quarantined'],
    stale: ['quarantined'],
    waiting: ['quarantined'],
  },
  release: { quarantined: [...NOT_WAITING, 'waiting'] },
  admit: { waiting: NOT_WAITING },
}

function live(
  check: (step: { before: Assessment; after: Assessment; event: Event; world: World }) => void,
  { lives = life, numRuns = 2000, ...seed }: Lives = {},
): void {
  fc.assert(
    fc.property(lives, ({ first, events }) => {
      let world = first
      let before = judge(world)
      for (const one of events) {
        world = one.apply(world)
        const after = judge(world)
        check({ before, after, event: one, world })
        before = after
      }
    }),
    { numRuns, ...seed },
  )
}

type Lives = {
  readonly lives?: typeof life
  readonly numRuns?: number
  readonly seed?: number
}

describe('the life of a device', () => {
  test('takes no transition outside the drawing', () => {
    live(({ before, after, event: { name } }) => {
      const [from, to] = [stateOf(before), stateOf(after)]
      if (from !== to) expect(DRAWN[name][from] ?? [], `${from} to ${to} by ${name}`).toContain(to)
    })
  })

  test('takes every transition of the drawing', () => {
    const seen = new Set<string>()
    // The same lives each time, so that none of the rare ones is missing one day.
    live(
      ({ before, after, event: { name } }) => {
        const [from, to] = [stateOf(before), stateOf(after)]
        if (from !== to) seen.add(`${name}: ${from} to ${to}`)
      },
      { seed: 1, numRuns: 10_000 },
    )
    const drawn = EVENTS.flatMap((name) =>
      Object.entries(DRAWN[name]).flatMap(([from, ends]) =>
        ends.filter((to) => to !== from).map((to) => `${name}: ${from} to ${to}`),
      ),
    )
    expect([...seen].sort()).toEqual(drawn.sort())
  })

  test('is never made trusted by the clock, nor without evidence', () => {
    live(({ before, after, event: { name }, world }) => {
      if (after.verdict !== 'trusted' || before.verdict === 'trusted') return
      expect(name).not.toBe('clock')
      expect(world.record.attestation).not.toBeNull()
    })
  })

  test('leaves a quarantine by a release only, and a wait by an admission or the first attestation', () => {
    live(({ before, after, event: { name } }) => {
      const [from, to] = [stateOf(before), stateOf(after)]
      if (from === 'quarantined' && to !== from) expect(name).toBe('release')
      if (from === 'waiting' && to !== from)
        expect(['attest', 'admit', 'quarantine']).toContain(name)
    })
  })

  test('keeps to its bounds at each step', () => {
    live(({ after, world }) => {
      const { record, minutes } = world
      expectBounds({ record, reliefs: reliefsOf(world), now: at(minutes), ...after })
    })
  })

  test('is not moved by clauses that only report', () => {
    const reporting = life.map(({ first, events }) => {
      const policy = POLICIES.length - 1
      const kept = events.filter(({ name }) => name !== 'documents')
      return { first: { ...first, policy }, events: kept }
    })
    live(({ after }) => expect(after.verdict).not.toBe('untrusted'), { lives: reporting })
  })
})

test('a clause that reads the clock moves a device among the three and nowhere else', () => {
  const rising = policyWith(clause('late', `now >= timestamp("${at(40).toISOString()}")`))
  const falling = policyWith(clause('early', `now < timestamp("${at(40).toISOString()}")`))
  const passing = fc.record({ minutes: fc.nat(100), validMinutes: fc.integer({ min: 1, max: 90 }) })
  fc.assert(
    fc.property(passing, ({ minutes, validMinutes }) => {
      const world = attest({ ...FIRST, minutes: 0 }, HEALTHY, validMinutes)
      const record = { ...world.record, enrolment: 'admitted' } as const
      const rules = rulesOf(world)
      const verdictUnder = (policy: typeof rising) =>
        assess({ ...rules, policy, record, now: at(minutes) }).verdict
      const isStale = minutes >= validMinutes
      const isLate = minutes >= 40
      expect(verdictUnder(rising)).toBe(isStale ? 'stale' : isLate ? 'trusted' : 'untrusted')
      expect(verdictUnder(falling)).toBe(isStale ? 'stale' : isLate ? 'untrusted' : 'trusted')
    }),
  )
})
