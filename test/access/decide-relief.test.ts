import { describe, expect, test } from 'vitest'
import type { Documents } from '../../src/access/assess.ts'
import { assess, verdictOfAttestation } from '../../src/access/assess.ts'
import { decide } from '../../src/access/decide.ts'
import type { HeldCause, Reliefs } from '../../src/access/relief.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import type { Cause } from '../../src/rollout/hold.ts'
import {
  agent,
  HEALTHY,
  NOW,
  REQUEST,
  TEXTS,
  VALID_UNTIL,
  withoutClaim,
} from '../policy/healthy-device.ts'
import { expectOk } from '../support/refusal.ts'
import { BASELINE, QUARANTINE, recordOf } from './rules.ts'

const HOUR = 3_600_000
const ISSUER = 'https://verifier.example'
const later = (ms: number, from = NOW) => new Date(from.getTime() + ms)

function reliefsOf(changes: Partial<Reliefs> = {}): Reliefs {
  const none = { holds: [], allowedUntil: null, outageGraceMs: 0 }
  return { policySince: later(-24 * HOUR), ...none, ...changes }
}

function holdOf(cause: Cause): HeldCause {
  return { cause, covers: later(-HOUR), until: later(HOUR) }
}

const ALLOWED = reliefsOf({ allowedUntil: later(HOUR) })

function ask(
  record: TrustRecord,
  changes: {
    readonly reliefs?: Reliefs
    readonly rules?: Documents
    readonly now?: Date
    readonly context?: Record<string, unknown>
  } = {},
) {
  const { reliefs = reliefsOf(), rules = BASELINE, now = NOW, context = {} } = changes
  const asked = { rules, record, request: { ...REQUEST, context }, reliefs, now }
  const { decision, context: told } = decide(asked).decision
  const { verdict, reasons, relief } = told
  return { decision, verdict, reasons: reasons.map(({ clause, code }) => clause ?? code), relief }
}

/** Clauses `first` and `second` with grace about what a device says, and one about requests. */
const GRACEFUL: Documents = {
  ...BASELINE,
  policy: expectOk(
    compilePolicy({
      name: 'Graceful',
      clauses: [
        { id: 'first', require: 'attestation.secureBootEnabled', grace_seconds: 7200 },
        { id: 'second', require: 'attestation.hvciEnabled', grace_seconds: 7300 },
        { id: 'strict', require: 'attestation.vbsEnabled' },
        { id: 'risk', require: 'context.risk < 5' },
      ].map((clause) => ({ severity: 'enforce', texts: TEXTS, ...clause })),
    }),
  ),
}

const INSECURE = recordOf({ ...HEALTHY, secureBootEnabled: false })
/** One hour of two has passed since it attested. */
const GRACE = { kind: 'grace', reason: 'first', until: later(HOUR).toISOString() }

describe('a decision under grace', () => {
  const rules = GRACEFUL
  const context = { risk: 1 }

  test('grants, and says what is wrong and until when it does not count', () => {
    expect(ask(INSECURE, { rules, context })).toEqual({
      decision: true,
      verdict: 'trusted',
      reasons: [],
      relief: [GRACE],
    })
    expect(ask(INSECURE, { rules, context, now: later(HOUR) })).toMatchObject({
      decision: false,
      verdict: 'untrusted',
      reasons: ['first'],
      relief: undefined,
    })
  })

  test('says nothing where nothing is wrong', () => {
    expect(ask(recordOf(), { rules, context })).toEqual({
      decision: true,
      verdict: 'trusted',
      reasons: [],
      relief: undefined,
    })
  })

  test('tells of every clause, also of one that is undecidable', () => {
    const record = recordOf({ ...withoutClaim('hvciEnabled'), secureBootEnabled: false })
    const both = [GRACE, { ...GRACE, reason: 'second', until: later(HOUR + 100_000).toISOString() }]
    expect(ask(record, { rules, context })).toMatchObject({ decision: true, relief: both })
  })

  test('denies for any clause that is not relieved, and names only that', () => {
    const record = recordOf({ ...HEALTHY, secureBootEnabled: false, vbsEnabled: false })
    expect(ask(record, { rules, context })).toEqual({
      decision: false,
      verdict: 'untrusted',
      reasons: ['strict'],
      relief: undefined,
    })
  })

  test('still denies what a clause about requests denies', () => {
    expect(ask(INSECURE, { rules, context: { risk: 9 } })).toEqual({
      decision: false,
      verdict: 'trusted',
      reasons: ['risk'],
      relief: [GRACE],
    })
    expect(ask(INSECURE, { rules })).toMatchObject({ decision: false, reasons: ['risk'] })
  })

  test('does not count for a clause about requests', () => {
    const clause = { id: 'risk', require: 'context.risk < 5', severity: 'enforce', texts: TEXTS }
    const document = { name: 'x', clauses: [{ ...clause, grace_seconds: 7200 }] }
    const graceful = { ...BASELINE, policy: expectOk(compilePolicy(document)) }
    expect(ask(recordOf(), { rules: graceful, context: { risk: 9 } }).decision).toBe(false)
  })

  test('is not known to the verdict that is recorded with an attestation', () => {
    const { attestation } = INSECURE
    if (attestation === null) throw new TypeError('the record has an attestation')
    const recorded = verdictOfAttestation({ ...GRACEFUL, attestation, record: INSECURE, now: NOW })
    expect(recorded).toMatchObject({ verdict: 'untrusted', reasons: [{ clause: 'first' }] })
    expect(recorded).not.toHaveProperty('relief')
  })

  test('is none for a caller that names no reliefs', () => {
    const request = { ...REQUEST, context }
    const assessed = assess({ ...GRACEFUL, record: INSECURE, request, now: NOW })
    expect(assessed.verdict).toBe('untrusted')
  })
})

describe('a decision while a cause is held', () => {
  const held = (cause: Cause) => reliefsOf({ holds: [holdOf(cause)] })
  const relief = (reason: string) => [{ kind: 'hold', reason, until: later(HOUR).toISOString() }]

  test('grants where nothing but the held clause fails', () => {
    const reliefs = held({ kind: 'clause', clause: 'secure_boot_on' })
    expect(ask(INSECURE, { reliefs })).toMatchObject({
      decision: true,
      relief: relief('secure_boot_on'),
    })
    const worse = recordOf({ ...HEALTHY, secureBootEnabled: false, vbsEnabled: false })
    expect(ask(worse, { reliefs })).toMatchObject({ decision: false, reasons: ['vbs_on'] })
  })

  const reference = (body: object) => {
    const document = { enclaves: [agent()], ...body }
    return { ...BASELINE, referenceValues: expectOk(parseReferenceValues(document)) }
  }
  const hash = Buffer.alloc(32, 1).toString('base64url')
  const unpinned = reference({ azure_policies: [{ issuer: ISSUER, hash }] })

  test('grants where the policy of its verifier is not pinned any more', () => {
    expect(ask(recordOf(), { rules: unpinned })).toEqual({
      decision: false,
      verdict: 'unknown',
      reasons: ['policy_not_pinned'],
      relief: undefined,
    })
    const reliefs = held({ kind: 'policy_not_pinned', issuer: ISSUER })
    expect(ask(recordOf(), { rules: unpinned, reliefs })).toMatchObject({
      decision: true,
      verdict: 'trusted',
      relief: relief('policy_not_pinned'),
    })
  })

  test('does not pass over clauses, only over what is held', () => {
    const reliefs = held({ kind: 'policy_not_pinned', issuer: ISSUER })
    expect(ask(INSECURE, { rules: unpinned, reliefs })).toMatchObject({
      decision: false,
      verdict: 'untrusted',
      reasons: ['secure_boot_on'],
    })
  })
})

describe('a decision while a verifier cannot be reached', () => {
  const reliefs = reliefsOf({
    outageGraceMs: HOUR,
    holds: [
      { cause: { kind: 'stale', issuer: ISSUER }, covers: new Date(0), until: later(48 * HOUR) },
    ],
  })
  const end = later(HOUR, VALID_UNTIL)

  test('grants for a while past the end of the evidence', () => {
    expect(ask(recordOf(), { reliefs, now: VALID_UNTIL })).toEqual({
      decision: true,
      verdict: 'trusted',
      reasons: [],
      relief: [{ kind: 'outage_grace', reason: 'stale', until: end.toISOString() }],
    })
    expect(ask(recordOf(), { reliefs, now: end })).toMatchObject({
      decision: false,
      verdict: 'stale',
      reasons: ['stale'],
    })
  })

  test('holds what the evidence says against the clauses all the same', () => {
    expect(ask(INSECURE, { reliefs, now: VALID_UNTIL })).toMatchObject({
      decision: false,
      verdict: 'untrusted',
      reasons: ['secure_boot_on'],
    })
  })
})

describe('an allowance', () => {
  const relief = [{ kind: 'allowance', until: later(HOUR).toISOString() }]

  test.each([
    ['fails', recordOf({ ...HEALTHY, secureBootEnabled: false, vbsEnabled: false })],
    ['is undecidable', recordOf({})],
    ['is met', recordOf()],
  ])('grants whatever of the device %s', (name, record) => {
    expect(ask(record, { reliefs: ALLOWED })).toEqual({
      decision: true,
      verdict: 'trusted',
      reasons: [],
      relief: name === 'is met' ? undefined : relief,
    })
  })

  test('grants where the evidence is too old, and is told once', () => {
    const late = later(HOUR, VALID_UNTIL)
    const reliefs = reliefsOf({ allowedUntil: later(HOUR, late) })
    expect(ask(INSECURE, { reliefs, now: late })).toMatchObject({
      decision: true,
      relief: [{ kind: 'allowance' }],
    })
  })

  test('ends at its instant', () => {
    const before = new Date(later(HOUR).getTime() - 1)
    expect(ask(INSECURE, { reliefs: ALLOWED, now: before }).decision).toBe(true)
    expect(ask(INSECURE, { reliefs: ALLOWED, now: later(HOUR) }).decision).toBe(false)
  })

  test('does not allow what a clause about requests denies', () => {
    const rules = GRACEFUL
    const record = recordOf({ ...HEALTHY, vbsEnabled: false })
    expect(ask(record, { reliefs: ALLOWED, rules, context: { risk: 9 } })).toMatchObject({
      decision: false,
      verdict: 'trusted',
      reasons: ['risk'],
    })
    expect(ask(record, { reliefs: ALLOWED, rules, context: { risk: 1 } }).decision).toBe(true)
  })
})

describe('nothing relieves', () => {
  /** Everything that there is. */
  const reliefs = reliefsOf({
    allowedUntil: later(HOUR),
    outageGraceMs: 1000 * HOUR,
    holds: [
      holdOf({ kind: 'stale', issuer: ISSUER }),
      holdOf({ kind: 'policy_not_pinned', issuer: ISSUER }),
      holdOf({ kind: 'clause', clause: 'secure_boot_on' }),
    ],
  })

  test.each([
    ['quarantined', 'quarantined', recordOf(HEALTHY, { quarantine: QUARANTINE })],
    ['enrolment_pending', 'unknown', recordOf(HEALTHY, { enrolment: 'pending' })],
    ['never_attested', 'unknown', recordOf(HEALTHY, { attestation: null })],
  ])('%s', (reason, verdict, record) => {
    expect(ask(record, { reliefs })).toEqual({
      decision: false,
      verdict,
      reasons: [reason],
      relief: undefined,
    })
  })
})
