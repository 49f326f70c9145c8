import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Alarm, compareAlarms, type StandingAlarm } from '../../src/alerts/alarms.ts'

const now = new Date('2026-03-01T12:00:00Z')
const later = (seconds: number) => new Date(now.getTime() + seconds * 1000)

const alarm = (change: Partial<Alarm> = {}): Alarm => {
  return { name: 'hold_active', subject: 'hld_1', level: '', detail: {}, until: null, ...change }
}
const standing = (change: Partial<StandingAlarm> = {}): StandingAlarm => {
  return { ...alarm(change), since: later(-60), ...change }
}

test('an alarm is told when it comes, when it comes to another level, and when it is over', () => {
  expect(compareAlarms([], [alarm()], now).raised).toEqual([alarm()])
  expect(compareAlarms([standing()], [alarm()], now)).toEqual({
    ...{ raised: [], renewed: [], cleared: [] },
  })
  const higher = alarm({ level: '7d' })
  expect(compareAlarms([standing({ level: '30d' })], [higher], now).raised).toEqual([higher])
  expect(compareAlarms([standing()], [], now).cleared).toEqual([standing()])
})

test('more that is known of it is kept and no news, in whatever order it comes out of the database', () => {
  const known = standing({ detail: { b: 1, a: 2 } })
  expect(compareAlarms([known], [alarm({ detail: { a: 2, b: 1 } })], now).renewed).toEqual([])
  const more = alarm({ detail: { a: 3, b: 1 } })
  expect(compareAlarms([known], [more], now)).toMatchObject({ raised: [], renewed: [more] })
})

test('what was noticed in a moment stands until its time is over', () => {
  const noticed = standing({ until: later(10) })
  expect(compareAlarms([noticed], [], now).cleared).toEqual([])
  expect(compareAlarms([noticed], [], later(10)).cleared).toEqual([noticed])
})

test('whatever stands and is found: after the changes it is what was found, and what still has time', () => {
  const subjects = fc.constantFrom('a', 'b', 'c')
  const levels = fc.constantFrom('', '1d', '7d')
  const times = fc.constantFrom(null, later(-1), later(5))
  const one = fc.record({ subject: subjects, level: levels, until: times })
  const some = fc.uniqueArray(one, { selector: ({ subject }) => subject })
  fc.assert(
    fc.property(some, some, (before, found) => {
      const stood = before.map((change) => standing(change))
      const all = found.map((change) => alarm({ ...change, until: null }))
      const { raised, renewed, cleared } = compareAlarms(stood, all, now)
      const left = new Map(stood.map((each) => [each.subject, each.level]))
      for (const { subject } of cleared) left.delete(subject)
      for (const { subject, level } of [...raised, ...renewed]) left.set(subject, level)
      const wanted = new Map(
        stood.filter(({ until }) => until !== null && until > now).map((x) => [x.subject, x.level]),
      )
      for (const { subject, level } of all) wanted.set(subject, level)
      expect([...left].sort()).toEqual([...wanted].sort())
      // Nothing is told twice.
      for (const { subject, level } of raised) {
        expect(stood.find((each) => each.subject === subject)?.level).not.toBe(level)
      }
    }),
  )
})
