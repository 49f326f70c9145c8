import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type HeldCause,
  type ReliefRecord,
  type Reliefs,
  reliefByAllowance,
  reliefOfClause,
  reliefOfOrigin,
  reliefOfStaleness,
} from '../../src/access/relief.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import type { Cause } from '../../src/rollout/hold.ts'

const START = Date.parse('2026-05-04T10:00:00Z')
const ISSUER = 'https://verifier.example'
const CLAUSE = 'secure_boot_on'

/** Minutes after the start. */
function at(minutes: number): Date {
  return new Date(START + minutes * 60_000)
}

const justBefore = (time: Date) => new Date(time.getTime() - 1)

function recordOf(
  changes: {
    readonly failedAt?: Date
    readonly attestedAt?: Date
    readonly validUntil?: Date
    readonly createdAt?: Date
    readonly claims?: AttestationClaims
  } = {},
): ReliefRecord {
  const { failedAt, createdAt = at(-10_000), claims = {} } = changes
  const { attestedAt = at(-60), validUntil = at(420) } = changes
  return {
    firstFailedAt: failedAt === undefined ? {} : { [CLAUSE]: failedAt.toISOString() },
    createdAt,
    attestation: { attestedAt, validUntil, issuer: ISSUER, claims },
  }
}

function reliefsOf(changes: Partial<Reliefs> = {}): Reliefs {
  return { policySince: at(-5000), holds: [], allowedUntil: null, outageGraceMs: 0, ...changes }
}

const GRACE_MINUTES = 30
const graceful = { clause: CLAUSE, graceMs: GRACE_MINUTES * 60_000 }
const strict = { clause: CLAUSE }

describe('grace of a clause', () => {
  const graceUntil = (record: ReliefRecord, now: Date, policySince = at(-5000)) =>
    reliefOfClause(graceful, { record, reliefs: reliefsOf({ policySince }), now })

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
    expect(reliefOfClause(strict, situation)).toBeUndefined()
    expect(reliefOfClause({ ...strict, graceMs: 0 }, situation)).toBeUndefined()
    const other = { clause: 'other', graceMs: graceful.graceMs }
    const record = recordOf({ failedAt: at(-1), attestedAt: at(-400) })
    expect(reliefOfClause(other, { ...situation, record })).toBeUndefined()
  })

  test('is none on a time that is no time', () => {
    const record = { ...recordOf(), firstFailedAt: { [CLAUSE]: 'yesterday' } }
    expect(graceUntil(record, at(0))).toBeUndefined()
    expect(graceUntil(recordOf({ failedAt: at(0) }), new Date(Number.NaN))).toBeUndefined()
  })
})

const CAUSES: Readonly<Record<Cause['kind'], Cause>> = {
  clause: { kind: 'clause', clause: CLAUSE },
  policy_not_pinned: { kind: 'policy_not_pinned', issuer: ISSUER },
  anchor_not_listed: { kind: 'anchor_not_listed', anchor: 'root' },
  hardware_unproven: { kind: 'hardware_unproven' },
  stale: { kind: 'stale', issuer: ISSUER },
}

function holdOf(cause: Cause, changes: Partial<HeldCause> = {}): HeldCause {
  return { cause, covers: at(-30), until: at(60), ...changes }
}

describe('a hold of a clause', () => {
  const heldUntil = (record: ReliefRecord, { now = at(0), holds = [holdOf(CAUSES.clause)] } = {}) =>
    reliefOfClause(strict, { record, reliefs: reliefsOf({ holds }), now })

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
    const relieve = (failedAt: Date) =>
      reliefOfClause(graceful, { record: recordOf({ failedAt }), reliefs, now: at(0) })
    expect(relieve(at(-29))?.kind).toBe('grace')
    expect(relieve(at(-30))?.kind).toBe('hold')
    expect(relieve(at(-31))).toBeUndefined()
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
    return reliefOfOrigin(reason, { record, reliefs, now })
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

describe('outage grace', () => {
  const HOUR = 3_600_000
  const relieve = (now: Date, changes: Partial<Reliefs> = {}) => {
    const reliefs = reliefsOf({
      outageGraceMs: 4 * HOUR,
      holds: [holdOf(CAUSES.stale, { covers: new Date(0), until: at(10_000) })],
      ...changes,
    })
    return reliefOfStaleness({ record: recordOf({ validUntil: at(0) }), reliefs, now })
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
    expect(reliefOfStaleness({ record, reliefs, now: at(0) })).toBeUndefined()
  })
})

describe('an allowance', () => {
  const relieve = (allowedUntil: Date | null, now = at(0)) =>
    reliefByAllowance({ record: recordOf(), reliefs: reliefsOf({ allowedUntil }), now })

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
          reliefOfClause(graceful, situation),
          reliefOfOrigin('policy_not_pinned', situation),
          reliefOfOrigin('anchor_not_listed', situation),
          reliefOfStaleness(situation),
          reliefByAllowance(situation),
        ]
      }
      for (const relief of all(now)) {
        if (relief !== undefined) expect(relief.until.getTime()).toBeGreaterThan(now.getTime())
      }
      // The longest of all that there is: grace from the last minute, or a hold.
      const end = new Date(at(200).getTime() + 1)
      expect(all(end)).toEqual([undefined, undefined, undefined, undefined, undefined])
    }),
    { numRuns: 2000 },
  )
})
