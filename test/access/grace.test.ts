import { describe, expect, test } from 'vitest'
import { graceOfClause, outageGrace } from '../../src/access/grace.ts'
import type { ReliefRecord, Reliefs } from '../../src/access/relief.ts'
import { at, CAUSES, CLAUSE, holdOf, justBefore, recordOf, reliefsOf } from './relief-fixture.ts'

const GRACE_MINUTES = 30
const graceful = { clause: CLAUSE, graceMs: GRACE_MINUTES * 60_000 }
const strict = { clause: CLAUSE }

describe('grace of a clause', () => {
  const graceUntil = (
    record: ReliefRecord,
    now: Date,
    changes: { policySince?: Date; bound?: Date; anew?: Date } = {},
  ) => {
    const { policySince = at(-5000), bound, anew } = changes
    const bindingOf =
      bound && (() => ({ since: bound.getTime(), anew: anew?.getTime() ?? -Infinity }))
    return graceOfClause(graceful, { record, reliefs: reliefsOf({ policySince }), bindingOf, now })
  }
  const noted = (since: Date, met?: Date) => {
    const times = { since: since.toISOString() }
    return recordOf({ grace: met === undefined ? times : { ...times, met: met.toISOString() } })
  }

  test('counts from when it was noted, and ends at an exclusive instant', () => {
    const record = noted(at(-10))
    const until = at(-10 + GRACE_MINUTES)
    expect(graceUntil(record, at(0))).toEqual({ kind: 'grace', reason: CLAUSE, until })
    expect(graceUntil(record, justBefore(until))?.until).toEqual(until)
    expect(graceUntil(record, until)).toBeUndefined()
  })

  test('is not lengthened by attesting again, nor by another policy, once it is noted', () => {
    const record = { ...noted(at(-GRACE_MINUTES)), attestation: recordOf().attestation }
    expect(graceUntil(record, at(0), { policySince: at(0), bound: at(0) })).toBeUndefined()
  })

  test('counts from when the clause began to bind, whatever failed before', () => {
    const record = recordOf({ failedAt: at(-4000), attestedAt: at(-400) })
    expect(graceUntil(record, at(0), { bound: at(-5) })?.until).toEqual(at(-5 + GRACE_MINUTES))
    expect(graceUntil(record, at(0), { policySince: at(-5) })?.until).toEqual(at(25))
    expect(graceUntil(record, at(0))).toBeUndefined()
  })

  test('counts from the first failure where the clause bound before', () => {
    const record = recordOf({ failedAt: at(-10), attestedAt: at(-1) })
    expect(graceUntil(record, at(0), { bound: at(-4000) })?.until).toEqual(at(20))
  })

  test('counts from the attestation where no failure was noted', () => {
    const record = recordOf({ attestedAt: at(-29) })
    expect(graceUntil(record, at(0))?.until).toEqual(at(1))
    expect(graceUntil(record, at(1))).toBeUndefined()
  })

  test('goes on for a device that comes and goes, and begins anew after a week without', () => {
    const week = 7 * 24 * 60
    const soon = recordOf({ attestedAt: at(0), failedAt: at(0) })
    const within = { ...soon, graces: noted(at(-9000), at(-8000)).graces }
    expect(graceUntil(within, at(0), { policySince: at(-9500) })).toBeUndefined()
    const after = { ...soon, graces: noted(at(-90_000), at(-week)).graces }
    expect(graceUntil(after, at(0))?.until).toEqual(at(GRACE_MINUTES))
    const long = { clause: CLAUSE, graceMs: 30 * 24 * 3_600_000 }
    const reliefs = reliefsOf({ policySince: at(-95_000) })
    const situation = { record: after, reliefs, now: at(0) }
    expect(graceOfClause(long, situation)).toBeUndefined()
  })

  test('begins anew where documents bound the device no more for a while', () => {
    const record = { ...recordOf({ attestedAt: at(-400) }), graces: noted(at(-300)).graces }
    const bound = at(-10)
    expect(graceUntil(record, at(0), { bound })).toBeUndefined()
    expect(graceUntil(record, at(0), { bound, anew: bound })?.until).toEqual(at(20))
    expect(graceUntil(record, at(0), { bound, anew: at(-301) })).toBeUndefined()
  })

  test('begins anew where documents came to bind the device after it had met the clause', () => {
    const record = { ...recordOf({ failedAt: at(0) }), graces: noted(at(-900), at(-800)).graces }
    expect(graceUntil(record, at(0), { bound: at(-801) })).toBeUndefined()
    expect(graceUntil(record, at(0), { bound: at(-799) })?.until).toEqual(at(GRACE_MINUTES))
  })

  test('is none where the clause gives none, or another clause failed first', () => {
    const situation = { record: recordOf(), reliefs: reliefsOf(), now: at(0) }
    expect(graceOfClause(strict, situation)).toBeUndefined()
    expect(graceOfClause({ ...strict, graceMs: 0 }, situation)).toBeUndefined()
    const other = { clause: 'other', graceMs: graceful.graceMs }
    const record = recordOf({ failedAt: at(-1), attestedAt: at(-400) })
    expect(graceOfClause(other, { ...situation, record })).toBeUndefined()
  })

  test('is none on a time that is no time', () => {
    const record = { ...recordOf(), firstFailedAt: { [CLAUSE]: 'yesterday' } }
    expect(graceUntil(record, at(0))).toBeUndefined()
    const since = { ...recordOf(), graces: { [CLAUSE]: { since: 'yesterday' } } }
    expect(graceUntil(since, at(0))).toBeUndefined()
    expect(graceUntil(recordOf({ failedAt: at(0) }), new Date(Number.NaN))).toBeUndefined()
  })
})

describe('outage grace', () => {
  const HOUR = 3_600_000
  const relieve = (now: Date, changes: Partial<Reliefs> = {}) => {
    const reliefs = reliefsOf({
      outageGraceMs: 4 * HOUR,
      holds: [holdOf(CAUSES.stale, { covers: new Date(0), until: at(10_000) })],
      ...changes,
    })
    return outageGrace({ record: recordOf({ validUntil: at(0) }), reliefs, now })
  }

  test('ends so long after the evidence did, exclusive', () => {
    const relief = { kind: 'outage_grace', reason: 'stale', until: at(240) }
    expect(relieve(at(0))).toEqual(relief)
    expect(relieve(justBefore(at(240)))).toEqual(relief)
    expect(relieve(at(240))).toBeUndefined()
  })

  test('ends with the outage', () => {
    const holds = [holdOf(CAUSES.stale, { until: at(5) })]
    expect(relieve(at(0), { holds })?.until).toEqual(at(5))
    expect(relieve(at(5), { holds })).toBeUndefined()
  })

  test('is none without an outage of that very verifier, and none where none is granted', () => {
    expect(relieve(at(0), { holds: [] })).toBeUndefined()
    const other = { kind: 'stale', issuer: 'https://other.example' } as const
    expect(relieve(at(0), { holds: [holdOf(other)] })).toBeUndefined()
    expect(relieve(at(0), { holds: [holdOf(CAUSES.clause)] })).toBeUndefined()
    expect(relieve(at(0), { outageGraceMs: 0 })).toBeUndefined()
  })

  test('is none on a time that is no time', () => {
    expect(relieve(new Date(Number.NaN))).toBeUndefined()
    const record = recordOf({ validUntil: new Date(Number.NaN) })
    const reliefs = reliefsOf({ outageGraceMs: HOUR, holds: [holdOf(CAUSES.stale)] })
    expect(outageGrace({ record, reliefs, now: at(0) })).toBeUndefined()
  })
})
