import { describe, expect, test } from 'vitest'
import { graceOfClause, outageGrace } from '../../src/access/grace.ts'
import type { ReliefRecord, Reliefs } from '../../src/access/relief.ts'
import { at, CAUSES, CLAUSE, holdOf, justBefore, recordOf, reliefsOf } from './relief-fixture.ts'

const GRACE_MINUTES = 30
const graceful = { clause: CLAUSE, graceMs: GRACE_MINUTES * 60_000 }
const strict = { clause: CLAUSE }

describe('grace of a clause', () => {
  const graceUntil = (record: ReliefRecord, now: Date, policySince = at(-5000)) =>
    graceOfClause(graceful, { record, reliefs: reliefsOf({ policySince }), now })

  test('counts from the first failure that was noted, and ends at an exclusive instant', () => {
    const record = recordOf({ failedAt: at(-10) })
    const until = at(-10 + GRACE_MINUTES)
    expect(graceUntil(record, at(0))).toEqual({ kind: 'grace', reason: CLAUSE, until })
    expect(graceUntil(record, justBefore(until))?.until).toEqual(until)
    expect(graceUntil(record, until)).toBeUndefined()
  })

  test('is not lengthened by attesting again, nor by another policy', () => {
    const record = recordOf({ failedAt: at(-GRACE_MINUTES), attestedAt: at(0) })
    expect(graceUntil(record, at(0), at(0))).toBeUndefined()
  })

  test('counts from the attestation where no failure was noted', () => {
    const record = recordOf({ attestedAt: at(-29) })
    expect(graceUntil(record, at(0))?.until).toEqual(at(1))
    expect(graceUntil(record, at(1))).toBeUndefined()
  })

  test('counts from the policy where that is newer than the attestation', () => {
    const record = recordOf({ attestedAt: at(-400) })
    expect(graceUntil(record, at(0))).toBeUndefined()
    expect(graceUntil(record, at(0), at(-5))?.until).toEqual(at(-5 + GRACE_MINUTES))
    expect(graceUntil(record, at(-5 + GRACE_MINUTES), at(-5))).toBeUndefined()
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
