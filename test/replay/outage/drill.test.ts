import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assess, type Documents } from '../../../src/access/assess.ts'
import type { Reliefs } from '../../../src/access/relief.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import type { AttestationClaims } from '../../../src/appraisal/claims.ts'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { asAttestationPolicyHash } from '../../../src/evidence/token/attestation-token.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { createDrill, type DrillRecord } from '../../../src/replay/outage/drill.ts'
import type { RulesFor } from '../../../src/replay/outage/find-loss.ts'
import type { Outage } from '../../../src/replay/outage/outage.ts'
import type { DrillBreakdown, DrillSummary } from '../../../src/replay/outage/summary.ts'
import { BASELINE, QUARANTINE, recordOf } from '../../access/rules.ts'
import {
  ATTESTED_AT,
  agent,
  HEALTHY,
  NOW,
  referenceValues,
  TEXTS,
} from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'

const HOUR = 3_600_000
const hours = (count: number) => new Date(NOW.getTime() + count * HOUR)
const iso = (count: number) => hours(count).toISOString()

const OUTAGE: Outage = {
  verifier: undefined,
  from: NOW,
  until: hours(24),
  stepMs: HOUR,
  graceMs: 4 * HOUR,
}
const PLAIN: Reliefs = {
  policySince: ATTESTED_AT,
  holds: [],
  allowedUntil: null,
  outageGraceMs: 4 * HOUR,
}

type Options = Partial<Outage> & {
  readonly rules?: Partial<Documents>
  readonly rulesFor?: RulesFor
  readonly changes?: readonly Date[]
}

function drill(records: readonly DrillRecord[], options: Options = {}): DrillSummary {
  const { rules: changed, rulesFor, changes = [], ...outage } = options
  const rules = { ...BASELINE, ...changed }
  const fold = createDrill({
    outage: { ...OUTAGE, ...outage },
    now: NOW,
    rules: [rules],
    rulesFor: rulesFor ?? (() => ({ rules, reliefs: PLAIN })),
    changes,
  })
  for (const record of records) fold.add(record)
  return fold.summary()
}

/** A device whose evidence ends so many hours from now. */
function ending(
  id: string,
  end: number,
  changes: Partial<TrustRecord> & {
    readonly issuer?: string
    readonly claims?: AttestationClaims
  } = {},
): TrustRecord {
  const { issuer, claims, ...others } = changes
  const record = recordOf(claims, { deviceId: `dev_${id}`, labels: [], ...others })
  const { attestation } = record
  if (attestation === null) return record
  const told = { ...attestation, validUntil: hours(end), ...(issuer !== undefined && { issuer }) }
  return { ...record, attestation: told }
}

function withClause(clause: object): Pick<Documents, 'policy'> {
  const added = { id: 'added', severity: 'enforce', texts: TEXTS, ...clause }
  const clauses = [...BASELINE_POLICY.clauses, added]
  return { policy: expectOk(compilePolicy({ ...BASELINE_POLICY, clauses })) }
}

const valid = (entry: object) => ({ referenceValues: referenceValues([agent(entry)]) })
const stepsOf = ({ steps }: DrillSummary) =>
  steps.map(({ without_grace, with_grace }) => [without_grace, with_grace])

describe('an outage', () => {
  test('ends access when evidence ends, and so much later with the grace', () => {
    const records = [ending('a', 1.5), ending('b', 3), ending('c', 22), ending('d', 30)]
    const summary = drill(records)
    expect(summary).toMatchObject({
      version: 1,
      at: NOW.toISOString(),
      from: NOW.toISOString(),
      until: iso(24),
      verifier: null,
      devices: 4,
      trusted: 4,
      without_grace: { devices: 3, share: 0.75, first: iso(1.5), half_by: iso(3), all_by: null },
      with_grace: { devices: 2, share: 0.5, first: iso(5.5), half_by: iso(7), all_by: null },
      by_reason: [{ reason: 'stale', without_grace: 3, with_grace: 2 }],
      examples: [
        { device_id: 'dev_a', without_grace: iso(1.5), with_grace: iso(5.5) },
        { device_id: 'dev_b', without_grace: iso(3), with_grace: iso(7) },
        { device_id: 'dev_c', without_grace: iso(22), with_grace: null },
      ],
    })
    expect(stepsOf(summary).slice(0, 9)).toEqual([
      [0, 0],
      [0, 0],
      [1, 0],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 1],
      [2, 2],
      [2, 2],
    ])
    expect(summary.steps).toHaveLength(25)
    expect(summary.steps.at(-1)).toEqual({ at: iso(24), without_grace: 3, with_grace: 2 })
  })

  test('of one verifier leaves the devices of the others alone', () => {
    const issuer = 'https://other.example'
    const records = [ending('a', 1), ending('b', 1, { issuer }), ending('c', 40, { issuer })]
    const summary = drill(records, { verifier: issuer })
    expect(summary).toMatchObject({ trusted: 2, verifier: issuer, with_grace: { devices: 1 } })
    expect(summary.not_counted.other_verifier).toBe(1)
    expect(summary.other_verifiers).toEqual([{ issuer: 'https://verifier.example', devices: 1 }])
    expect(drill(records).by_verifier.keys.map(({ key, trusted }) => [key, trusted])).toEqual([
      [issuer, 2],
      ['https://verifier.example', 1],
    ])
  })

  test('takes nothing from devices that have no access', () => {
    const summary = drill([
      ending('a', 1, { quarantine: QUARANTINE }),
      ending('b', 1, { enrolment: 'pending' }),
      ending('c', 1, { attestation: null }),
      ending('d', 0),
      ending('e', -1),
      ending('f', 1, { claims: { ...HEALTHY, secureBootEnabled: false } }),
      ending('g', 2),
    ])
    expect(summary.not_counted).toEqual({
      quarantined: 1,
      enrolment_pending: 1,
      never_attested: 1,
      stale: 2,
      denied: 1,
      before_outage: 0,
      other_verifier: 0,
    })
    expect(summary).toMatchObject({ devices: 7, trusted: 1, with_grace: { devices: 1 } })
  })

  test('that is to come does not count whoever has to attest before it', () => {
    const options = { from: hours(2), until: hours(8) }
    const summary = drill([ending('a', 2), ending('b', 3.5), ending('c', 9)], options)
    expect(summary).toMatchObject({
      trusted: 2,
      not_counted: { before_outage: 1 },
      without_grace: { first: iso(3.5), half_by: iso(4) },
      with_grace: { first: iso(7.5) },
    })
    expect(summary.steps[0]?.at).toBe(iso(2))
  })

  test('tells the least grace with which it ends no evidence', () => {
    const records = [ending('a', 10), ending('b', 12)]
    const { grace_needed_seconds: needed } = drill(records)
    expect(needed).toBe(14 * 3600 + 1)
    const graceMs = (needed ?? 0) * 1000
    expect(drill(records, { graceMs }).with_grace.devices).toBe(0)
    expect(drill(records, { graceMs: graceMs - 1000 }).with_grace.devices).toBe(1)
    expect(drill([ending('a', 25)]).grace_needed_seconds).toBeNull()
  })

  test('ends with a step of its own where the last one is not whole', () => {
    const summary = drill([ending('a', 2.2)], { until: hours(2.25), graceMs: 0 })
    expect(summary.steps.map(({ at }) => at)).toEqual([iso(0), iso(1), iso(2), iso(2.25)])
    expect(stepsOf(summary).at(-1)).toEqual([1, 1])
    expect(summary.without_grace.all_by).toBe(iso(2.25))
  })

  test('of nobody has no half', () => {
    expect(drill([])).toMatchObject({
      trusted: 0,
      without_grace: { devices: 0, share: 0, first: null, half_by: null, all_by: null },
      by_label: { keys: [], complete: true },
      examples: [],
    })
  })

  test('that has been, or takes no time, is a mistake of the caller', () => {
    expect(() => drill([], { from: hours(-1) })).toThrow(TypeError)
    expect(() => drill([], { until: NOW })).toThrow(TypeError)
    expect(() => drill([], { stepMs: 0 })).toThrow(TypeError)
    expect(() => drill([], { graceMs: -1 })).toThrow(TypeError)
  })
})

describe('beside the outage', () => {
  test('a clause that reads the clock denies at the step after', () => {
    const require = `now < timestamp("${iso(2.5)}")`
    const summary = drill([ending('a', 20)], { rules: withClause({ require }) })
    expect(summary).toMatchObject({
      without_grace: { first: iso(3) },
      with_grace: { first: iso(3) },
      by_reason: [{ reason: 'added', without_grace: 1, with_grace: 1 }],
      grace_needed_seconds: null,
    })
  })

  test('a clause about the age of evidence is not made milder by the grace', () => {
    const require = 'now - attestation.attested_at < duration("4h")'
    const summary = drill([ending('a', 1)], { rules: withClause({ require }) })
    expect(summary.examples).toEqual([
      { device_id: 'dev_a', without_grace: iso(1), with_grace: iso(3) },
    ])
    expect(summary.by_reason).toEqual([
      { reason: 'stale', without_grace: 1, with_grace: 0 },
      { reason: 'added', without_grace: 0, with_grace: 1 },
    ])
  })

  test('a clause that only reports denies nobody', () => {
    const clause = { require: `now < timestamp("${iso(2)}")`, severity: 'report' }
    expect(drill([ending('a', 30)], { rules: withClause(clause) }).with_grace.devices).toBe(0)
  })

  test('reference values that end deny at the step after, and not where others follow', () => {
    const records = [ending('a', 30), ending('b', 30)]
    const summary = drill(records, { rules: valid({ valid_until: iso(5.5) }) })
    expect(summary.with_grace).toMatchObject({ devices: 2, first: iso(6), all_by: iso(6) })
    expect(summary.by_reason.map(({ reason }) => reason)).toEqual(['enclave_listed'])
    const entries = [agent({ valid_until: iso(6) }), agent({ valid_from: iso(5) })]
    const followed = { referenceValues: referenceValues(entries) }
    expect(drill(records, { rules: followed }).with_grace.devices).toBe(0)
    expect(drill(records, { rules: valid({ valid_until: iso(25) }) }).with_grace.devices).toBe(0)
  })

  test('a pin of the verifier that ends denies whatever its tokens say', () => {
    const issuer = 'https://verifier.example'
    const hash = Buffer.alloc(32, 1).toString('base64url')
    const pinned = expectOk(
      parseReferenceValues({
        enclaves: [agent()],
        azure_policies: [{ issuer, hash, valid_until: iso(3) }],
      }),
    )
    const record = ending('a', 20)
    const { attestation } = record
    const issued = {
      ...record,
      attestation: attestation && {
        ...attestation,
        attestationPolicyHash: asAttestationPolicyHash(hash),
      },
    }
    const summary = drill([issued, record], { rules: { referenceValues: pinned } })
    expect(summary).toMatchObject({ trusted: 1, not_counted: { denied: 1 } })
    expect(summary.by_reason).toEqual([
      { reason: 'policy_not_pinned', without_grace: 1, with_grace: 1 },
    ])
    expect(summary.with_grace.first).toBe(iso(3))
  })

  test('grace for a clause ends when it does for a decision', () => {
    const rules = withClause({ require: 'attestation.depPolicy == 1', grace_seconds: 6 * 3600 })
    const summary = drill([ending('a', 20)], { rules })
    // It counts from the attestation, an hour ago.
    expect(summary.with_grace.first).toBe(iso(5))
    expect(summary.by_reason.map(({ reason }) => reason)).toEqual(['added'])
  })

  test('an allowance keeps access as long as it counts', () => {
    const rulesFor: RulesFor = ({ labels }) => ({
      rules: BASELINE,
      reliefs: { ...PLAIN, allowedUntil: labels.includes('vip') ? hours(10) : null },
    })
    const records = [ending('a', 1), ending('b', 1, { labels: ['vip'] })]
    const { examples } = drill(records, { rulesFor })
    expect(examples).toEqual([
      { device_id: 'dev_a', without_grace: iso(1), with_grace: iso(5) },
      { device_id: 'dev_b', without_grace: iso(10), with_grace: iso(10) },
    ])
  })

  test('another version that begins to decide is seen at the step after', () => {
    const strict = { ...BASELINE, ...withClause({ require: 'attestation.depPolicy == 1' }) }
    const rulesFor: RulesFor = (_record, at) => ({
      rules: at < hours(3.5) ? BASELINE : strict,
      reliefs: PLAIN,
    })
    const summary = drill([ending('a', 20)], { rulesFor, changes: [hours(3.5)] })
    expect(summary.with_grace.first).toBe(iso(4))
  })

  test('who lives on the grace already is lost at once without it', () => {
    const issuer = 'https://verifier.example'
    const hold = { cause: { kind: 'stale', issuer }, covers: NOW, until: hours(1) } as const
    const rulesFor = () => ({ rules: BASELINE, reliefs: { ...PLAIN, holds: [hold] } })
    const { examples, trusted, steps } = drill([ending('a', -1)], { rulesFor })
    expect(trusted).toBe(1)
    expect(examples).toEqual([{ device_id: 'dev_a', without_grace: iso(0), with_grace: iso(3) }])
    expect(steps[0]).toMatchObject({ without_grace: 1, with_grace: 0 })
  })
})

describe('breakdowns', () => {
  test('name those that lose most first, and who of them loses access first', () => {
    const summary = drill([
      ending('a', 3, { labels: ['lab', 'kiosk'], owner: 'ada' }),
      ending('b', 2, { labels: ['kiosk'], owner: 'ada' }),
      ending('c', 30, { labels: ['desk'], owner: null }),
    ])
    expect(summary.by_label.keys).toMatchObject([
      {
        key: 'kiosk',
        trusted: 2,
        without_grace: 2,
        with_grace: 2,
        examples: [{ device_id: 'dev_b' }, { device_id: 'dev_a' }],
      },
      { key: 'lab', trusted: 1, without_grace: 1, with_grace: 1 },
      { key: 'desk', trusted: 1, without_grace: 0, with_grace: 0, examples: [] },
    ])
    const owners = summary.by_owner.keys.map(({ key, with_grace }) => [key, with_grace])
    expect(owners).toEqual([
      ['ada', 2],
      [null, 0],
    ])
  })

  test('list ten owners and sum up the others', () => {
    const records = Array.from({ length: 25 }, (_, index) => {
      return ending(String(index), 1, { owner: `owner ${index}` })
    })
    const { by_owner } = drill(records)
    expect(by_owner.keys).toHaveLength(10)
    expect(by_owner.others).toEqual({ trusted: 15, without_grace: 15, with_grace: 15 })
    expect(by_owner.complete).toBe(true)
  })

  test('of more keys than memory are kept for some, and still sum up', () => {
    const records = Array.from({ length: 30_000 }, (_, index) => {
      return ending(String(index).padStart(6, '0'), 1, { owner: `owner ${index}` })
    })
    const { by_owner } = drill(records)
    expect(by_owner.complete).toBe(false)
    expect(sumOf(by_owner, 'with_grace')).toBe(30_000)
    expect(by_owner.keys.every(({ examples }) => examples.length === 1)).toBe(true)
    expect(drill(records.toReversed()).by_owner).toEqual(by_owner)
  })
})

function sumOf({ keys, others }: DrillBreakdown, name: 'trusted' | 'without_grace' | 'with_grace') {
  return keys.reduce((sum, row) => sum + row[name], others[name])
}

describe('whatever the fleet is like', () => {
  const rules = {
    ...BASELINE,
    ...withClause({ require: 'has(attestation.depPolicy)', grace_seconds: 3 * 3600 }),
  }
  const issuers = ['https://verifier.example', 'https://other.example']
  const rulesFor: RulesFor = ({ labels }) => ({
    rules,
    reliefs: {
      ...PLAIN,
      holds: [
        { cause: { kind: 'clause', clause: 'added' }, covers: NOW, until: hours(6.5) },
        { cause: { kind: 'stale', issuer: issuers[1] ?? '' }, covers: NOW, until: hours(2.5) },
      ],
      allowedUntil: labels.includes('vip') ? hours(7.25) : null,
    },
  })
  const device = fc.record({
    end: fc.integer({ min: -6, max: 60 }).map((halves) => halves / 2),
    labels: fc.uniqueArray(fc.constantFrom('vip', 'kiosk', 'lab'), { maxLength: 2 }),
    owner: fc.constantFrom(null, 'ada', 'bob'),
    issuer: fc.constantFrom(...issuers),
    quarantine: fc.constantFrom(null, null, null, QUARANTINE),
    enrolment: fc.constantFrom('admitted', 'admitted', 'pending'),
    claims: fc.constantFrom(
      HEALTHY,
      { ...HEALTHY, depPolicy: 1 },
      { ...HEALTHY, vbsEnabled: false },
    ),
    isAttested: fc.boolean().map((isNot) => !isNot),
  })
  const fleet = fc.array(device, { maxLength: 30 }).map((devices) =>
    devices.map(({ end, isAttested, ...changes }, index) =>
      ending(`${index}`.padStart(2, '0'), end, {
        ...changes,
        ...(!isAttested && { attestation: null }),
      }),
    ),
  )
  const outage = fc
    .record({
      verifier: fc.constantFrom(undefined, ...issuers),
      start: fc.nat(8),
      length: fc.integer({ min: 1, max: 48 }),
      stepMs: fc.constantFrom(HOUR / 2, HOUR, 5 * HOUR),
      graceMs: fc.nat(20).map((halves) => (halves * HOUR) / 2),
    })
    .map(({ start, length, ...others }) => {
      return { ...others, from: hours(start / 2), until: hours((start + length) / 2) }
    })

  test('the counts are those of decisions at each step', () => {
    fc.assert(
      fc.property(fleet, outage, (records, assumed) => {
        const { trusted, steps } = drill(records, { ...assumed, rules, rulesFor })
        const isTrusted = (record: TrustRecord, now: Date, graceMs?: number) => {
          const { reliefs } = rulesFor(asAttested(record), now)
          const issuer = record.attestation?.issuer ?? ''
          const out = { cause: { kind: 'stale', issuer }, covers: NOW, until: hours(1000) } as const
          const holds = graceMs === undefined ? reliefs.holds : [out, ...reliefs.holds]
          const outageGraceMs = graceMs ?? reliefs.outageGraceMs
          const assumedReliefs = { ...reliefs, holds, outageGraceMs }
          const asked = { ...rules, record, reliefs: assumedReliefs, now }
          return assess(asked).verdict === 'trusted'
        }
        const counted = records.filter(
          (record) =>
            isTrusted(record, NOW) &&
            isTrusted(record, assumed.from) &&
            (assumed.verifier ?? record.attestation?.issuer) === record.attestation?.issuer,
        )
        expect(trusted).toBe(counted.length)
        for (const { at, without_grace, with_grace } of steps) {
          const lost = (graceMs: number) =>
            counted.filter((record) => !isTrusted(record, new Date(at), graceMs)).length
          expect([without_grace, with_grace]).toEqual([lost(0), lost(assumed.graceMs)])
        }
      }),
    )
  })

  test('grace denies nobody earlier, and nobody is lost twice', () => {
    fc.assert(
      fc.property(fleet, outage, (records, assumed) => {
        const summary = drill(records, { ...assumed, rules, rulesFor })
        const left = Object.values(summary.not_counted).reduce((sum, count) => sum + count, 0)
        expect(summary.trusted + left).toBe(records.length)
        let before = { without_grace: 0, with_grace: 0 }
        for (const step of summary.steps) {
          expect(step.with_grace).toBeLessThanOrEqual(step.without_grace)
          expect(step.without_grace).toBeLessThanOrEqual(summary.trusted)
          expect(step.without_grace).toBeGreaterThanOrEqual(before.without_grace)
          expect(step.with_grace).toBeGreaterThanOrEqual(before.with_grace)
          before = step
        }
        expect(before.without_grace).toBe(summary.without_grace.devices)
        expect(before.with_grace).toBe(summary.with_grace.devices)
        for (const example of summary.examples) {
          if (example.with_grace === null) continue
          expect(example.with_grace >= example.without_grace).toBe(true)
        }
      }),
    )
  })

  test('every device is under its owner, its verifier, its reason and each of its labels', () => {
    fc.assert(
      fc.property(fleet, outage, (records, assumed) => {
        const summary = drill(records, { ...assumed, rules, rulesFor })
        const { by_owner, by_verifier, by_label, by_reason } = summary
        for (const breakdown of [by_owner, by_verifier]) {
          expect(sumOf(breakdown, 'trusted')).toBe(summary.trusted)
          expect(sumOf(breakdown, 'without_grace')).toBe(summary.without_grace.devices)
          expect(sumOf(breakdown, 'with_grace')).toBe(summary.with_grace.devices)
        }
        const reasons = by_reason.reduce((sum, { with_grace }) => sum + with_grace, 0)
        expect(reasons).toBe(summary.with_grace.devices)
        expect(sumOf(by_label, 'trusted')).toBeGreaterThanOrEqual(summary.trusted)
        for (const { trusted, with_grace, without_grace } of by_label.keys) {
          expect(with_grace).toBeLessThanOrEqual(without_grace)
          expect(without_grace).toBeLessThanOrEqual(trusted)
          expect(trusted).toBeLessThanOrEqual(summary.trusted)
        }
      }),
    )
  })

  test('the order of devices does not matter', () => {
    const shuffled = fleet.chain((records) =>
      fc.tuple(
        fc.constant(records),
        fc.shuffledSubarray(records, { minLength: records.length, maxLength: records.length }),
      ),
    )
    fc.assert(
      fc.property(shuffled, outage, ([records, others], assumed) => {
        const options = { ...assumed, rules, rulesFor }
        expect(drill(others, options)).toEqual(drill(records, options))
      }),
    )
  })
})

/** Only labels are looked at. */
function asAttested(record: TrustRecord): Parameters<RulesFor>[0] {
  const { attestation } = record.attestation === null ? recordOf() : record
  if (attestation === null) throw new TypeError('this one has attested')
  return { ...record, attestation }
}
