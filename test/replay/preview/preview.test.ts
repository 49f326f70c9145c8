import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assess, type Documents } from '../../../src/access/assess.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import { appraise } from '../../../src/appraisal/appraise.ts'
import { type AttestationClaims, CLAIM_NAMES } from '../../../src/appraisal/claims.ts'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { describePreview } from '../../../src/cli/policy/describe-preview.ts'
import {
  type AttestationPolicyHash,
  asAttestationPolicyHash,
} from '../../../src/evidence/token/attestation-token.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { createPreview } from '../../../src/replay/preview/preview.ts'
import { APPRAISED_CLAIMS, listUnreadClaims } from '../../../src/replay/preview/read-claims.ts'
import {
  countLosses,
  type PreviewSummary,
  readLosses,
} from '../../../src/replay/preview/summary.ts'
import { createTally } from '../../../src/replay/preview/tally.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { BASELINE, QUARANTINE, recordOf } from '../../access/rules.ts'
import {
  AUTHOR,
  agent,
  HEALTHY,
  NOW,
  OTHER_AUTHOR,
  policyOf,
  referenceValues,
  TEXTS,
} from '../../policy/healthy-device.ts'
import { expectOk } from '../../support/refusal.ts'
import { makeAnchor } from '../../support/trust-anchors.ts'

function preview(
  candidate: Partial<Documents>,
  records: readonly TrustRecord[],
  inForce: Documents = BASELINE,
): PreviewSummary {
  const fold = createPreview({ inForce, candidate: { ...inForce, ...candidate }, now: NOW })
  for (const record of records) fold.add(record)
  return fold.summary()
}

const withClause = (require: string, when?: string) => {
  const clause = { id: 'added', require, severity: 'enforce' as const, texts: TEXTS }
  const added = when === undefined ? clause : { ...clause, when }
  const document = { ...BASELINE_POLICY, clauses: [...BASELINE_POLICY.clauses, added] }
  return { policy: expectOk(compilePolicy(document)) }
}
const named = (id: string, changes: Partial<TrustRecord> = {}, claims = HEALTHY) =>
  recordOf(claims, { deviceId: `dev_${id}`, ...changes })

describe('a preview tells', () => {
  test('who would be denied, by clause, label, ring, owner and verifier', () => {
    const records = [
      named('c', { labels: ['kiosk'], ring: 7, owner: 'ada' }),
      named('b', { labels: ['kiosk', 'lobby'], ring: 8, owner: null }),
      named('a', { labels: [], ring: 7, owner: 'ada' }),
    ]
    const summary = preview(withClause('!("kiosk" in device.labels)'), records)
    expect(summary).toMatchObject({
      devices: 3,
      compared: 3,
      unchanged: { granted: 1, denied: 0 },
      newly_denied: {
        devices: 2,
        share: 0.666667,
        undecidable: 0,
        by_clause: [{ clause: 'added', devices: 2, share: 0.666667, examples: ['dev_b', 'dev_c'] }],
      },
      newly_allowed: { devices: 0, by_clause: [] },
    })
    const rows = ({ keys }: PreviewSummary['by_label']) =>
      keys.map(({ key, compared, newly_denied }) => [key, compared, newly_denied])
    expect(rows(summary.by_label)).toEqual([
      ['kiosk', 2, 2],
      ['lobby', 1, 1],
    ])
    expect(rows(summary.by_ring)).toEqual([
      ['7', 2, 1],
      ['8', 1, 1],
    ])
    expect(rows(summary.by_owner)).toEqual([
      [null, 1, 1],
      ['ada', 2, 1],
    ])
    expect(rows(summary.by_issuer)).toEqual([['https://verifier.example', 3, 2]])
  })

  test('whose claim was never recorded, and which', () => {
    const { newly_denied, clauses } = preview(withClause('attestation.depPolicy >= 1'), [
      named('a'),
      named('b', {}, { ...HEALTHY, depPolicy: 2 }),
    ])
    expect(newly_denied).toMatchObject({
      devices: 1,
      undecidable: 1,
      by_clause: [{ clause: 'added', undecidable: 1, cause: 'No such key: depPolicy' }],
    })
    expect(clauses.at(-1)).toEqual({
      clause: 'added',
      severity: 'enforce',
      pass: 1,
      fail: 0,
      undecidable: 1,
      not_applicable: 0,
      cause: 'No such key: depPolicy',
      enforce_from: null,
      denied: 1,
      in_grace: { devices: 0, first: null, last: null },
      denied_later: { devices: 0, first: null, last: null },
      reached: true,
    })
  })

  test('who would be allowed, by what denies now', () => {
    const claims = { ...HEALTHY, hvciEnabled: false, vbsEnabled: false }
    const policy = policyOf('attestation.secureBootEnabled')
    expect(preview({ policy }, [named('a', {}, claims)]).newly_allowed).toMatchObject({
      devices: 1,
      by_clause: [{ clause: 'memory_integrity_on' }, { clause: 'vbs_on' }],
    })
  })

  test('what other reference values would do', () => {
    const stricter = { referenceValues: referenceValues([agent({ minimum_svn: 8 })]) }
    const summary = preview(stricter, [named('a')])
    expect(summary.newly_denied.by_clause).toMatchObject([{ clause: 'enclave_current' }])
    const other = { referenceValues: referenceValues([agent({ author_id: OTHER_AUTHOR })]) }
    expect(preview(other, [named('a')]).newly_denied.devices).toBe(1)
  })

  test('whose next attestation would be refused when a pinned policy is dropped', () => {
    const issuer = 'https://verifier.example'
    const pin = (byte: number) =>
      asAttestationPolicyHash(Buffer.alloc(32, byte).toString('base64url'))
    const pinned = (...hashes: string[]) =>
      expectOk(
        parseReferenceValues({
          enclaves: [agent()],
          azure_policies: hashes.map((hash) => ({ issuer, hash })),
        }),
      )
    const { attestation } = recordOf()
    const issuedUnder = (id: string, attestationPolicyHash: AttestationPolicyHash) =>
      named(id, { attestation: attestation && { ...attestation, attestationPolicyHash } })
    const inForce = { ...BASELINE, referenceValues: pinned(pin(1), pin(2)) }
    const records = [issuedUnder('a', pin(1)), issuedUnder('b', pin(2)), issuedUnder('c', pin(3))]
    const summary = preview({ referenceValues: pinned(pin(2)) }, records, inForce)
    expect(summary.newly_refused).toEqual({
      devices: 1,
      share: 0.333333,
      by_policy: [
        { issuer, policy_hash: pin(1), devices: 1, share: 0.333333, examples: ['dev_a'] },
      ],
      by_anchor: [],
    })
    expect(countLosses(summary)).toBe(1)
    const questions = { newly_denied: { devices: 2 }, denied_later: { devices: 3 } }
    expect(readLosses(JSON.parse(JSON.stringify({ ...summary, questions })))).toBe(6)
    // Nobody looked at what is asked.
    expect(readLosses(summary)).toBeUndefined()
    expect(readLosses({ ...summary, questions, version: 1 })).toBeUndefined()
    expect(readLosses(null)).toBeUndefined()
  })

  test('whose root of trust is dropped, and who has none where some are wanted', () => {
    const listing = (...trust_anchors: object[]) =>
      expectOk(parseReferenceValues({ enclaves: [agent()], trust_anchors }))
    const { attestation } = recordOf()
    const under = (id: string, anchor: string | undefined) => {
      const claims = anchor === undefined ? HEALTHY : { ...HEALTHY, aikTrustAnchor: anchor }
      const attestationPolicyHash = BUILT_IN_POLICY_HASH
      return named(id, {
        attestation: attestation && { ...attestation, claims, attestationPolicyHash },
      })
    }
    const [one, two] = ANCHORS
    const records = [
      under('a', one.fingerprint),
      under('b', two.fingerprint),
      under('c', one.fingerprint),
      under('d', undefined),
    ]
    const both = { ...BASELINE, referenceValues: listing(one.entry(), two.entry()) }
    const dropped = preview({ referenceValues: listing(two.entry()) }, records.slice(0, 3), both)
    expect(dropped.newly_refused).toEqual({
      devices: 2,
      share: 0.666667,
      by_policy: [],
      by_anchor: [
        {
          anchor: one.fingerprint,
          name: 'One',
          devices: 2,
          share: 0.666667,
          examples: ['dev_a', 'dev_c'],
        },
      ],
    })
    const none = { ...BASELINE, referenceValues: listing() }
    const wanted = preview({ referenceValues: both.referenceValues }, records, none)
    expect(wanted.newly_refused).toMatchObject({
      devices: 1,
      by_anchor: [{ anchor: null, name: null, examples: ['dev_d'] }],
    })
    const until = { valid_until: NOW.toISOString() }
    const ended = listing(one.entry(until), two.entry())
    expect(preview({ referenceValues: ended }, records, none).newly_refused).toMatchObject({
      devices: 3,
      by_anchor: [{ name: 'One', devices: 2 }, { anchor: null }],
    })
    const unproven = under('e', one.fingerprint)
    const { attestation: proof } = unproven
    const claims = { ...HEALTHY, aikValidated: false }
    const software = { ...unproven, attestation: proof && { ...proof, claims } }
    expect(preview({ referenceValues: both.referenceValues }, [software], none)).toMatchObject({
      newly_refused: { devices: 1, by_anchor: [{ anchor: null, examples: ['dev_e'] }] },
    })
    const again = preview({ referenceValues: none.referenceValues }, [software], both)
    expect(again).toMatchObject({ newly_allowed: { devices: 1 }, unchanged: { granted: 0 } })
    const still = preview({ referenceValues: both.referenceValues }, [software], both)
    expect(still.unchanged).toEqual({ granted: 0, denied: 1 })
    const text = describePreview(dropped)
    expect(text).toMatch(/no longer a trust anchor +fingerprint +devices/)
    expect(text).toMatch(new RegExp(`One +${one.fingerprint} +2 +66.7 % +dev_a`))
    expect(describePreview(wanted)).toContain('(keys that no root vouches for)')
  })

  test('what cannot change, and how old the evidence is', () => {
    const { attestation } = recordOf()
    const attested = (hours: number) => {
      const attestedAt = new Date(NOW.getTime() - hours * 3_600_000)
      return { attestation: attestation && { ...attestation, attestedAt } }
    }
    const summary = preview(withClause('false'), [
      named('a', { quarantine: QUARANTINE }),
      named('b', { enrolment: 'pending' }),
      named('c', { attestation: null }),
      named('d', { attestation: attestation && { ...attestation, validUntil: NOW } }),
      named('e', attested(0)),
      named('f', attested(1)),
      named('g', attested(200)),
    ])
    expect(summary).toMatchObject({
      devices: 7,
      compared: 3,
      not_compared: { quarantined: 1, enrolment_pending: 1, never_attested: 1, stale: 1 },
      newly_denied: { devices: 3 },
      evidence_age: {
        compared: { under_1h: 1, under_8h: 1, under_1d: 0, under_7d: 0, older: 1 },
        newly_denied: { under_1h: 1, under_8h: 1, under_1d: 0, under_7d: 0, older: 1 },
      },
    })
  })
})

const ANCHORS = [await makeAnchor('One'), await makeAnchor('Two')] as const

const flag = fc.constantFrom(true, false, undefined)
const claimsArbitrary: fc.Arbitrary<AttestationClaims> = fc
  .record({
    secureBootEnabled: flag,
    hvciEnabled: flag,
    depPolicy: fc.constantFrom(0, 2, undefined),
    enclaveSvn: fc.constantFrom(4, 6, 9, undefined),
    enclaveAuthorId: fc.constantFrom(AUTHOR, OTHER_AUTHOR, undefined),
  })
  .map((changes) => {
    const merged = Object.entries({ ...HEALTHY, ...changes })
    return Object.fromEntries(merged.filter(([, value]) => value !== undefined))
  })
const shared = fc.sample(claimsArbitrary, { numRuns: 12, seed: 4 })
const recordArbitrary: fc.Arbitrary<TrustRecord> = fc
  .record({
    id: fc.nat(50),
    // Some of the claims are the same object, as a store hands them out.
    claims: fc.oneof(claimsArbitrary, fc.constantFrom(...shared)),
    standing: fc.constantFrom<Partial<TrustRecord>>(
      ...Array.from({ length: 9 }, () => ({})),
      { quarantine: QUARANTINE },
      { enrolment: 'pending' },
      { attestation: null },
    ),
    labels: fc.subarray(['kiosk', 'lobby', 'vip']),
    ring: fc.nat(99),
    owner: fc.constantFrom(null, 'ada', 'bob'),
  })
  .map(({ id, claims, standing, ...facts }) => named(String(id), { ...facts, ...standing }, claims))

const candidates: readonly Partial<Documents>[] = [
  {},
  withClause('attestation.depPolicy >= 1'),
  withClause('"vip" in device.labels', 'attestation.enclaveSvn > 5'),
  withClause('attestation.attested_at > timestamp("2026-05-04T08:00:00Z")'),
  withClause('attestation.enclave.name == "agent"'),
  { referenceValues: referenceValues([agent({ minimum_svn: 7 })]) },
  { referenceValues: referenceValues([]), ...withClause('device.ring > 50 || false') },
  { policy: policyOf('attestation.secureBootEnabled', 'device.owner != "bob"') },
]

describe('properties of previews', () => {
  const check = (
    property: (records: TrustRecord[], candidate: Partial<Documents>, inForce: Documents) => void,
  ) =>
    fc.assert(
      fc.property(
        fc.array(recordArbitrary, { maxLength: 12 }),
        fc.constantFrom(...candidates),
        fc.constantFrom(...candidates),
        (records, candidate, before) => property(records, candidate, { ...BASELINE, ...before }),
      ),
      { numRuns: 300 },
    )

  test('the order of devices does not matter', () => {
    check((records, candidate, inForce) => {
      const expected = preview(candidate, records, inForce)
      expect(preview(candidate, records.toReversed(), inForce)).toEqual(expected)
      const sorted = records.toSorted((a, b) => a.ring - b.ring)
      expect(preview(candidate, sorted, inForce)).toEqual(expected)
    })
  })

  test('every device is in exactly one class', () => {
    check((records, candidate, inForce) => {
      const { devices, compared, not_compared, unchanged, ...summary } = preview(
        candidate,
        records,
        inForce,
      )
      expect(devices).toBe(records.length)
      expect(
        compared + Object.values(not_compared).reduce((sum, standing) => sum + standing, 0),
      ).toBe(devices)
      expect(
        unchanged.granted +
          unchanged.denied +
          summary.newly_denied.devices +
          summary.newly_refused.devices +
          summary.newly_allowed.devices,
      ).toBe(compared)
    })
  })

  test('what is in force changes nothing against itself', () => {
    check((records, _, inForce) => {
      const summary = preview({}, records, inForce)
      expect(summary.newly_denied.devices + summary.newly_allowed.devices).toBe(0)
      expect(summary.by_label.keys).toEqual([])
    })
  })

  test('its verdicts are those of decisions', () => {
    check((records, candidate, inForce) => {
      const after = { ...inForce, ...candidate }
      const trusted = (rules: Documents, record: TrustRecord) =>
        assess({ ...rules, record, now: NOW }).verdict === 'trusted'
      const count = (was: boolean, is: boolean) =>
        records.filter((one) => trusted(inForce, one) === was && trusted(after, one) === is).length
      const summary = preview(candidate, records, inForce)
      expect(summary.newly_denied.devices).toBe(count(true, false))
      expect(summary.newly_allowed.devices).toBe(count(false, true))
      expect(summary.unchanged.granted).toBe(count(true, true))
    })
  })

  test('claims that nobody reads can be left out', () => {
    check((records, candidate, inForce) => {
      const unread = listUnreadClaims([inForce, { ...inForce, ...candidate }])
      expect(unread).toContain('bootCounter')
      const lean = records.map((record) => {
        if (record.attestation === null) return record
        const claims = Object.entries(record.attestation.claims).filter(
          ([name]) => !unread.some((one) => one === name),
        )
        const kept: AttestationClaims = Object.fromEntries(claims)
        return { ...record, attestation: { ...record.attestation, claims: kept } }
      })
      expect(preview(candidate, lean, inForce)).toEqual(preview(candidate, records, inForce))
    })
  })
})

describe('claims', () => {
  test('that appraisal reads are those that are known to be', () => {
    const read = new Set<string>()
    fc.assert(
      fc.property(claimsArbitrary, flag, (claims, vbsReportPresent) => {
        const given = { ...claims, ...(vbsReportPresent !== undefined && { vbsReportPresent }) }
        const watched = new Proxy(given, {
          get(target, name, receiver) {
            read.add(String(name))
            return Reflect.get(target, name, receiver)
          },
        })
        const named = agent({ minimum_platform_svn: 1, family_id: HEALTHY.enclaveFamilyId })
        const entry = { ...named, image_ids: [HEALTHY.enclaveImageId] }
        appraise({ claims: watched, referenceValues: referenceValues([entry]), now: NOW })
      }),
    )
    expect([...read].sort()).toEqual([...APPRAISED_CLAIMS].sort())
  })

  test('that name a root are read as soon as one side lists some', () => {
    const [one] = ANCHORS
    const document = { enclaves: [agent()], trust_anchors: [one.entry()] }
    const listing = { ...BASELINE, referenceValues: expectOk(parseReferenceValues(document)) }
    expect(listUnreadClaims([BASELINE])).toContain('aikTrustAnchor')
    expect(listUnreadClaims([BASELINE, listing])).not.toContain('aikTrustAnchor')
    expect(listUnreadClaims([listing, BASELINE])).not.toContain('aikTrustAnchor')
  })

  test('of a clause with an escape may be any', () => {
    const rules = { ...BASELINE, ...withClause('attestation["boot\\u0043ounter"] > 1') }
    expect(listUnreadClaims([rules])).toEqual([])
    expect(listUnreadClaims([BASELINE]).length).toBeGreaterThan(10)
    expect(listUnreadClaims([BASELINE]).every((name) => CLAIM_NAMES.includes(name))).toBe(true)
  })
})

test('a tally of too many keys keeps the same ones in any order, with exact counts', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-m]{1,2}$/), { maxLength: 80 }), (keys) => {
      const tallyOf = (ordered: readonly string[]) => {
        const tally = createTally(1, 5)
        for (const key of ordered) tally.add(key, [0])
        return { entries: [...tally.entries()].sort(), whole: tally.isWhole(), sum: tally.totals }
      }
      const tallied = tallyOf(keys)
      expect(tallyOf(keys.toReversed())).toEqual(tallied)
      expect(tallyOf(keys.toSorted())).toEqual(tallied)
      expect(tallied.sum).toEqual([keys.length])
      const different = new Set(keys).size
      expect(tallied.entries).toHaveLength(Math.min(5, different))
      expect(tallied.whole).toBe(different <= 5)
      for (const [key, [counted]] of tallied.entries) {
        expect(counted).toBe(keys.filter((one) => one === key).length)
      }
    }),
  )
})
