import { describe, expect, test } from 'vitest'
import type { Documents } from '../../../src/access/assess.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { datesIn } from '../../../src/replay/preview/dates.ts'
import type { JudgedBoth } from '../../../src/replay/preview/judge.ts'
import { lookAhead } from '../../../src/replay/preview/look-ahead.ts'
import { planMoments } from '../../../src/replay/preview/moments.ts'
import { planQuestionTimes } from '../../../src/replay/questions/question-times.ts'
import { BASELINE } from '../../access/rules.ts'
import { NOW, TEXTS } from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const now = NOW.getTime()
/** The beginning of the day in a year. */
const lastOfYear = Math.floor(now / DAY_MS) * DAY_MS + 366 * DAY_MS
const iso = (at: number) => new Date(at).toISOString()

function withClauses(...requires: readonly string[]): Documents {
  const clauses = requires.map((require, index) => {
    return { id: `added_${index}`, require, severity: 'enforce', texts: TEXTS }
  })
  const document = { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, ...clauses] }
  return { ...BASELINE, policy: expectOk(compilePolicy(document)) }
}

/** Names so many dates, a day apart, the first tomorrow, ten in a clause. */
const dated = (dates: number, first = 1, also = '') =>
  Array.from({ length: Math.ceil(dates / 10) }, (_, clause) => {
    return Array.from({ length: Math.min(10, dates - clause * 10) }, (_, date) => {
      return `${also}now != timestamp("${iso(now + (clause * 10 + date + first) * DAY_MS)}")`
    }).join(' || ')
  })

const plan = (candidate: Documents, inForce: Documents = BASELINE) =>
  planMoments({ inForce, candidate, now: NOW })

describe('a plan of moments', () => {
  test('is now alone where nothing changes with time', () => {
    expect(plan(BASELINE)).toMatchObject({ times: [now], leftOut: 0, leftOutOfCandidate: 0 })
  })

  test('has each moment once, ascending, and counts the two of a timestamp as one date', () => {
    const { times, leftOut } = plan(withClauses(...dated(256), ...dated(256)))
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    // Two of each date; a day and a week ahead are among them.
    expect(times).toHaveLength(1 + 2 * 256)
    expect(leftOut).toBe(0)
    expect(datesIn([1, 2, 3, 5, 6])).toEqual([[1, 2], [3], [5, 6]])
  })

  test('leaves out the latest dates, and says how many', () => {
    const { times, ...left } = plan(withClauses(...dated(300)))
    expect(left).toMatchObject({ leftOut: 44, leftOutOfCandidate: 44 })
    expect(times.at(-1)).toBe(now + 256 * DAY_MS + 1)
  })

  test('leaves out of one expression what it names too many of, and says so', () => {
    const [dates = ''] = [dated(40).join(' || ')]
    expect(plan(withClauses(dates))).toMatchObject({ leftOut: 8, leftOutOfCandidate: 8 })
  })

  test('gives a candidate all its room, whatever is in force names', () => {
    const candidate = withClauses(...dated(200, 1000))
    const { times, ...left } = plan(candidate, withClauses(...dated(300)))
    expect(left).toMatchObject({ leftOut: 44, leftOutOfCandidate: 0 })
    expect(times).toContain(now + 1199 * DAY_MS)
  })

  test('has the year ahead, however many dates are beside it', () => {
    const open = 'now.getMonth() != 0'
    const alone = plan(withClauses(open)).times
    expect(alone.at(-1)).toBe(lastOfYear)
    const { times } = plan(withClauses(open, ...dated(300)))
    expect(alone.filter((at) => !times.includes(at))).toEqual([])
  })

  test.each<readonly [string, readonly number[], readonly number[]]>([
    ['now.getHours() < 99', [1, 5, 24], [25]],
    ['now.getDayOfWeek() != 6', [24, 72, 168], [1, 192]],
    ['now.getDayOfWeek() != 6 || now.getHours() < 99', [1, 77, 168], [169]],
  ])('looks again after a date far away where a clause says %s', (require, hours, not) => {
    const begin = Math.ceil(now / DAY_MS) * DAY_MS + 60 * DAY_MS
    const { times } = plan(withClauses(require, `now != timestamp("${iso(begin)}")`))
    for (const hour of hours) expect(times).toContain(begin + hour * HOUR_MS)
    for (const hour of not) expect(times).not.toContain(begin + hour * HOUR_MS)
  })

  test('counts a date as left out where what may follow it has no room', () => {
    const { leftOutOfCandidate } = plan(withClauses('now.getHours() < 99', ...dated(100)))
    // The hours of 56 days.
    expect(leftOutOfCandidate).toBe(100 - 56)
  })
})

describe('times of questions', () => {
  const corporate = 'context.network == "corporate" || '
  const times = (...requires: readonly string[]) =>
    planQuestionTimes({ inForce: BASELINE, candidate: withClauses(...requires), now: NOW })

  test('are now and each date, with the moment after it', () => {
    const { of, leftOut } = times(...dated(20, 1, corporate))
    const at = of(NOW).map((time) => time.getTime())
    expect(at).toEqual([
      now,
      ...Array.from({ length: 20 }, (_, date) => now + (date + 1) * DAY_MS).flatMap((date) => [
        date,
        date + 1,
      ]),
    ])
    expect(leftOut).toBe(0)
  })

  test('reach a year ahead where a clause names no date for what it makes of the clock', () => {
    const open = times(`${corporate}int(now) < 1780000000`)
    expect(open.of(NOW).at(-1)?.getTime()).toBe(lastOfYear)
  })

  test('that are too many are left out, and told', () => {
    expect(times(...dated(70, 1, corporate))).toMatchObject({ leftOut: 6, count: 1 + 2 * 64 })
  })
})

describe('looking ahead', () => {
  const allowed: JudgedBoth['after'] = {
    ...{ verdict: { verdict: 'trusted', reasons: [] }, reasons: [], origin: 'accepted' },
    ends: [],
  }
  const first: JudgedBoth = { before: allowed, after: allowed, outcomes: [] }
  const device = (at: (time: number) => JudgedBoth) => ({ at, graces: () => new Map() })

  test('comes to every moment of the plan', () => {
    const moments = plan(withClauses('now.getHours() < 99', ...dated(256)))
    const seen: number[] = []
    const looking = device((time) => {
      seen.push(time)
      return first
    })
    expect(lookAhead(looking, first, moments)).toMatchObject({ isCut: false })
    expect(moments.times.length).toBeGreaterThan(1_500)
    expect([now, ...seen]).toEqual(moments.times)
  })

  test('gives up on a device whose reliefs never stop ending, and says so', () => {
    const looking = device((time) => ({ ...first, after: { ...allowed, ends: [time + 1] } }))
    const begun = { ...first, after: { ...allowed, ends: [now + 1] } }
    expect(lookAhead(looking, begun, plan(BASELINE))).toMatchObject({ isCut: true })
  })
})
