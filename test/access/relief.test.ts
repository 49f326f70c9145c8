import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { graceOfClause, outageGrace } from '../../src/access/grace.ts'
import {
  allowanceOf,
  holdOfClause,
  holdOfOrigin,
  type ReliefRecord,
  type Reliefs,
} from '../../src/access/relief.ts'
import { deriveVerdict } from '../../src/access/verdict.ts'
import type { Cause } from '../../src/rollout/hold.ts'
import { at, CAUSES, CLAUSE, holdOf, justBefore, recordOf, reliefsOf } from './relief-fixture.ts'

const graceful = { clause: CLAUSE, graceMs: 30 * 60_000 }

describe('a hold of a clause', () => {
  const heldUntil = (record: ReliefRecord, { now = at(0), holds = [holdOf(CAUSES.clause)] } = {}) =>
    holdOfClause(CLAUSE, { record, reliefs: reliefsOf({ holds }), now })

  test('covers who met it now for the first time, until it ends', () => {
    const relief = { kind: 'hold', reason: CLAUSE, until: at(60) }
    expect(heldUntil(recordOf())).toEqual(relief)
    expect(heldUntil(recordOf(), { now: justBefore(at(60)) })).toEqual(relief)
    expect(heldUntil(recordOf(), { now: at(60) })).toBeUndefined()
  })

  test('covers who met it since the time that it covers, inclusive', () => {
    expect(heldUntil(recordOf({ failedAt: at(-30) }))?.kind).toBe('hold')
    expect(heldUntil(recordOf({ failedAt: justBefore(at(-30)) }))).toBeUndefined()
  })

  test('does not cover a device that came with the wave', () => {
    expect(heldUntil(recordOf({ createdAt: at(-30) }))).toBeUndefined()
    expect(heldUntil(recordOf({ createdAt: justBefore(at(-30)) }))?.kind).toBe('hold')
  })

  test('covers nobody where the note of the failure is no time', () => {
    const record = { ...recordOf(), firstFailedAt: { [CLAUSE]: 'yesterday' } }
    expect(heldUntil(record)).toBeUndefined()
  })

  test('is one of that clause only', () => {
    const others: readonly Cause[] = [
      { kind: 'clause', clause: 'other' },
      CAUSES.stale,
      CAUSES.policy_not_pinned,
      { kind: 'anchor_not_listed', anchor: CLAUSE },
    ]
    expect(heldUntil(recordOf(), { holds: others.map((cause) => holdOf(cause)) })).toBeUndefined()
  })

  test('counts where grace has ended, and after it', () => {
    const reliefs = reliefsOf({ holds: [holdOf(CAUSES.clause)] })
    const outcome = { ...graceful, scope: 'device', severity: 'enforce', status: 'fail' } as const
    const relieve = (failedAt: Date) => {
      const record = recordOf({ failedAt })
      const { relief = [] } = deriveVerdict({
        record: { ...record, quarantine: null, enrolment: 'admitted' },
        clauseOutcomes: [outcome],
        relief: { record, reliefs },
        now: at(0),
      })
      return relief.map(({ kind }) => kind)
    }
    expect(relieve(at(-29))).toEqual(['grace'])
    expect(relieve(at(-30))).toEqual(['hold'])
    expect(relieve(at(-31))).toEqual([])
  })
})

describe('a hold of an origin', () => {
  const relieve = (
    reason: 'policy_not_pinned' | 'anchor_not_listed' | 'hardware_unproven',
    cause: Cause,
    { anchor, attestedAt, now = at(0) }: { anchor?: string; attestedAt?: Date; now?: Date } = {},
  ) => {
    const claims = anchor === undefined ? {} : { aikTrustAnchor: anchor }
    const reliefs = reliefsOf({ holds: [holdOf(cause)] })
    const record = recordOf({ claims, ...(attestedAt !== undefined && { attestedAt }) })
    return holdOfOrigin(reason, { record, reliefs, now })
  }

  test('of a policy covers evidence of its verifier, until it ends', () => {
    const cause = CAUSES.policy_not_pinned
    const relief = { kind: 'hold', reason: 'policy_not_pinned', until: at(60) }
    expect(relieve('policy_not_pinned', cause)).toEqual(relief)
    expect(relieve('policy_not_pinned', cause, { now: at(60) })).toBeUndefined()
    const other = { kind: 'policy_not_pinned', issuer: 'https://other.example' } as const
    expect(relieve('policy_not_pinned', other)).toBeUndefined()
  })

  test('of a root covers evidence under it, or under none', () => {
    const cause = CAUSES.anchor_not_listed
    expect(relieve('anchor_not_listed', cause, { anchor: 'root' })?.kind).toBe('hold')
    expect(relieve('anchor_not_listed', cause, { anchor: 'other' })).toBeUndefined()
    expect(relieve('anchor_not_listed', cause)).toBeUndefined()
    const ofNone = { kind: 'anchor_not_listed', anchor: '' } as const
    expect(relieve('anchor_not_listed', ofNone)?.kind).toBe('hold')
    expect(relieve('anchor_not_listed', ofNone, { anchor: 'root' })).toBeUndefined()
  })

  test('of unproven hardware covers evidence of before it, and none of after', () => {
    const cause = CAUSES.hardware_unproven
    const held = (attestedAt: Date, now = at(0)) =>
      relieve('hardware_unproven', cause, { attestedAt, now })
    const before = justBefore(at(-30))
    expect(held(before)).toEqual({ kind: 'hold', reason: 'hardware_unproven', until: at(60) })
    expect(held(before, at(60))).toBeUndefined()
    expect(held(at(-30))).toBeUndefined()
    expect(held(at(-1))).toBeUndefined()
  })

  test('of one reason says nothing about the other', () => {
    for (const cause of [CAUSES.policy_not_pinned, CAUSES.anchor_not_listed, CAUSES.stale]) {
      expect(relieve('hardware_unproven', cause, { attestedAt: at(-60) })).toBeUndefined()
    }
    expect(relieve('policy_not_pinned', CAUSES.hardware_unproven)).toBeUndefined()
    expect(relieve('policy_not_pinned', { kind: 'anchor_not_listed', anchor: '' })).toBeUndefined()
    expect(relieve('anchor_not_listed', CAUSES.policy_not_pinned)).toBeUndefined()
    expect(relieve('anchor_not_listed', CAUSES.stale)).toBeUndefined()
  })
})

describe('an allowance', () => {
  const relieve = (allowedUntil: Date | null, now = at(0)) =>
    allowanceOf({ record: recordOf(), reliefs: reliefsOf({ allowedUntil }), now })

  test('counts until its end, exclusive', () => {
    expect(relieve(at(5))).toEqual({ kind: 'allowance', until: at(5) })
    expect(relieve(at(5), justBefore(at(5)))).toBeDefined()
    expect(relieve(at(5), at(5))).toBeUndefined()
    expect(relieve(null)).toBeUndefined()
    expect(relieve(new Date(Number.NaN))).toBeUndefined()
  })
})

test('what is relieved is relieved until a time to come, and never afterwards', () => {
  const minutes = fc.integer({ min: -100, max: 100 }).map(at)
  const hold = fc.record({
    cause: fc.constantFrom(...Object.values(CAUSES)),
    covers: minutes,
    until: minutes,
  })
  const reliefs: fc.Arbitrary<Reliefs> = fc.record({
    policySince: minutes,
    holds: fc.array(hold, { maxLength: 4 }),
    allowedUntil: fc.option(minutes),
    outageGraceMs: fc.nat(6_000_000),
  })
  const record = fc
    .record({
      failedAt: minutes,
      attestedAt: minutes,
      validUntil: minutes,
      createdAt: minutes,
      claims: fc.constant({ aikTrustAnchor: 'root' }),
    })
    .map(recordOf)
  fc.assert(
    fc.property(record, reliefs, minutes, (given, around, now) => {
      const all = (time: Date) => {
        const situation = { record: given, reliefs: around, now: time }
        return [
          graceOfClause(graceful, situation),
          holdOfClause(CLAUSE, situation),
          holdOfOrigin('policy_not_pinned', situation),
          holdOfOrigin('anchor_not_listed', situation),
          outageGrace(situation),
          allowanceOf(situation),
        ]
      }
      for (const relief of all(now)) {
        if (relief !== undefined) expect(relief.until.getTime()).toBeGreaterThan(now.getTime())
      }
      // The longest of all that there is: grace from the last minute, or a hold.
      const end = new Date(at(200).getTime() + 1)
      expect(all(end)).toEqual(Array(6).fill(undefined))
    }),
    { numRuns: 2000 },
  )
})
