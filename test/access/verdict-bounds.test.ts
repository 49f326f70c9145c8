import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Reliefs } from '../../src/access/relief.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import { deriveVerdict } from '../../src/access/verdict.ts'
import type { ClauseOutcome } from '../../src/policy/language/evaluate.ts'
import type { Cause } from '../../src/rollout/hold.ts'
import { DEVICE } from '../policy/healthy-device.ts'
import { QUARANTINE } from './rules.ts'
import { expectBounds } from './verdict-bounds.ts'
import { at, CAUSES, ISSUER, MINUTE_MS, PIN } from './verdict-world.ts'

const minutes = fc.integer({ min: -60, max: 60 }).map(at)
const outcome: fc.Arbitrary<ClauseOutcome> = fc
  .record({
    clause: fc.constantFrom('boot', 'svn', 'other'),
    scope: fc.constantFrom('device', 'request'),
    severity: fc.constantFrom('enforce', 'report'),
    status: fc.constantFrom('pass', 'fail', 'undecidable', 'not_applicable'),
    graceMs: fc.option(fc.integer({ min: 0, max: 60 * MINUTE_MS }), { nil: undefined }),
  })
  .map(({ graceMs, ...rest }) => (graceMs === undefined ? rest : { ...rest, graceMs }))
const reliefs: fc.Arbitrary<Reliefs> = fc.record({
  policySince: minutes,
  holds: fc.array(
    fc.record({
      cause: fc.constantFrom<Cause>(...CAUSES, { kind: 'anchor_not_listed', anchor: 'root' }),
      covers: minutes,
      until: minutes,
    }),
    { maxLength: 5 },
  ),
  allowedUntil: fc.option(minutes),
  outageGraceMs: fc.nat(60 * MINUTE_MS),
})
const attestation = fc
  .record({ attestedAt: minutes, validUntil: minutes, hasAnchor: fc.boolean() })
  .map(({ hasAnchor, ...times }) => ({
    attestationId: 'att_a',
    issuer: ISSUER,
    attestationPolicyHash: PIN,
    confirmationKey: 'key',
    claims: hasAnchor ? { aikTrustAnchor: 'root' } : {},
    ...times,
  }))
const record: fc.Arbitrary<TrustRecord> = fc
  .record({
    quarantine: fc.option(fc.constant(QUARANTINE), { freq: 4 }),
    enrolment: fc.oneof(
      { weight: 4, arbitrary: fc.constant('admitted' as const) },
      { weight: 1, arbitrary: fc.constant('pending' as const) },
    ),
    attestation: fc.option(attestation, { freq: 9 }),
    firstFailedAt: fc.dictionary(
      fc.constantFrom('boot', 'svn', 'other'),
      fc.oneof(
        { weight: 9, arbitrary: minutes.map((time) => time.toISOString()) },
        { weight: 1, arbitrary: fc.constant('yesterday') },
      ),
    ),
    graces: fc.dictionary(
      fc.constantFrom('boot', 'svn', 'other'),
      fc
        .record({ since: minutes, met: fc.option(minutes, { nil: undefined }) })
        .map(({ since, met }) => ({
          since: since.toISOString(),
          ...(met !== undefined && { met: met.toISOString() }),
        })),
    ),
    generation: fc.integer({ min: 1, max: 3 }),
    vouched: fc.boolean(),
    createdAt: minutes,
  })
  .map((given) => ({ ...DEVICE, keyKind: 'aik', ...given }))

test('every single verdict keeps to its bounds, whatever it is derived from', () => {
  const origin = fc.oneof(
    { weight: 3, arbitrary: fc.constant('accepted' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('policy_not_pinned', 'anchor_not_listed', 'hardware_unproven'),
    },
  )
  const outcomes = fc.uniqueArray(outcome, { maxLength: 3, selector: ({ clause: id }) => id })
  const kinds = new Set<string>()
  fc.assert(
    fc.property(
      fc.record({ record, outcomes, origin, reliefs, now: minutes }),
      ({ outcomes: clauseOutcomes, ...given }) => {
        const { attestation: evidence } = given.record
        const relief = evidence && {
          record: { ...given.record, attestation: evidence },
          reliefs: given.reliefs,
        }
        const input = { ...given, clauseOutcomes }
        const derived = deriveVerdict({ ...input, relief: relief ?? undefined })
        expectBounds({ ...given, ...derived, clauseOutcomes })
        for (const { kind } of derived.relief ?? []) kinds.add(kind)
        if (derived.verdict !== 'trusted') return
        const isRelieved = derived.relief?.some(({ kind, reason }) => {
          return kind === 'allowance' || reason === given.origin
        })
        if (!isRelieved) expect(given.origin).toBe('accepted')
        // Without relief nothing that is wrong is passed over.
        const bare = deriveVerdict({ ...input, relief: undefined })
        expect(bare.verdict === 'trusted').toBe(derived.relief === undefined)
      },
    ),
    { numRuns: 20_000 },
  )
  expect([...kinds].sort()).toEqual(['allowance', 'grace', 'hold', 'outage_grace'])
})
