import { describe, expect, test } from 'vitest'
import type { Documents } from '../../src/access/assess.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import {
  type AttestationPolicyHash,
  asAttestationPolicyHash,
} from '../../src/evidence/token/attestation-token.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import {
  type AttestedRecord,
  causesOf,
  searchCorrelations,
  shift,
} from '../../src/replay/causes.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import { BASELINE } from '../access/rules.ts'
import {
  AUTHOR,
  agent,
  DEVICE,
  HEALTHY,
  NOW,
  policyOf,
  TEXTS,
  withoutClaim,
} from '../policy/healthy-device.ts'
import { expectOk } from '../support/refusal.ts'
import { makeAnchor } from '../support/trust-anchors.ts'

const MINUTE = 60_000
const LOOK_AHEAD = 15 * MINUTE
const WINDOW = 30 * MINUTE
const ISSUER = 'https://verifier.example'
const PIN = asAttestationPolicyHash(Buffer.alloc(32, 1).toString('base64url'))
const INSECURE = { ...HEALTHY, secureBootEnabled: false }

const minutes = (count: number) => new Date(NOW.getTime() + count * MINUTE)

type Changes = {
  readonly claims?: AttestationClaims
  readonly attestationPolicyHash?: AttestationPolicyHash
  /** Minutes from now. */
  readonly attested?: number
  readonly failed?: Readonly<Record<string, number>>
  readonly labels?: readonly string[]
}

function recordOf(id: number | string, changes: Changes = {}): AttestedRecord {
  const { claims = HEALTHY, attestationPolicyHash = BUILT_IN_POLICY_HASH, attested = -60 } = changes
  const { failed = {}, labels = [] } = changes
  const noted = Object.entries(failed).map(([clause, at]) => [clause, minutes(at).toISOString()])
  return {
    ...DEVICE,
    enrolment: 'admitted',
    deviceId: `dev_${id}`,
    labels,
    quarantine: null,
    firstFailedAt: Object.fromEntries(noted),
    graces: {},
    attestation: {
      claims,
      issuer: ISSUER,
      attestationPolicyHash,
      attestedAt: minutes(attested),
      validUntil: minutes(attested + 480),
    },
  }
}

function fleetOf(size: number, changes: Changes = {}, from = 0): readonly AttestedRecord[] {
  return Array.from({ length: size }, (_, index) => recordOf(from + index, changes))
}

function find(
  records: readonly AttestedRecord[],
  changes: Partial<Parameters<typeof searchCorrelations>[0]> & { readonly rules?: Documents } = {},
) {
  const { rules = BASELINE, ...rest } = changes
  const search = searchCorrelations({
    rulesOf: () => rules,
    now: NOW,
    lookAheadMs: LOOK_AHEAD,
    since: new Date(NOW.getTime() - WINDOW),
    isArmed: true,
    limits: { devices: 10, share: 0.01 },
    ...rest,
  })
  for (const record of records) search.add(record)
  return search.found()
}

const until = (clock: Date) =>
  policyOf('attestation.vbsEnabled', `now < timestamp("${clock.toISOString()}")`)
const valuesOf = (document: object) => ({
  ...BASELINE,
  referenceValues: expectOk(parseReferenceValues({ enclaves: [agent()], ...document })),
})
const ANCHOR = await makeAnchor('root')

describe('the causes that speak against a device', () => {
  test('are none where it is healthy', () => {
    expect(causesOf(recordOf('a'), BASELINE, NOW)).toEqual([])
  })

  test('are clauses that fail or are undecidable, and are enforced', () => {
    const claims = { ...withoutClaim('hvciEnabled'), secureBootEnabled: false }
    const record = recordOf('a', { claims: { ...claims, bitlockerEnabled: false } })
    expect(causesOf(record, BASELINE, NOW)).toEqual([
      { kind: 'clause', clause: 'secure_boot_on' },
      { kind: 'clause', clause: 'memory_integrity_on' },
    ])
  })

  test('are not what a clause about requests would say', () => {
    const rules = { ...BASELINE, policy: policyOf('context.risk < 5') }
    expect(causesOf(recordOf('a'), rules, NOW)).toEqual([])
  })

  test('are a policy of a verifier that is not pinned, and a root that is not listed', () => {
    const unpinned = recordOf('a', { attestationPolicyHash: PIN })
    expect(causesOf(unpinned, BASELINE, NOW)).toEqual([
      { kind: 'policy_not_pinned', issuer: ISSUER },
    ])
    const listing = valuesOf({ trust_anchors: [ANCHOR.entry()] })
    expect(causesOf(recordOf('a'), listing, NOW)).toEqual([
      { kind: 'anchor_not_listed', anchor: '' },
    ])
    const other = recordOf('a', { claims: { ...HEALTHY, aikTrustAnchor: 'other' } })
    expect(causesOf(other, listing, NOW)).toEqual([{ kind: 'anchor_not_listed', anchor: 'other' }])
    const unproven = recordOf('a', { claims: { ...HEALTHY, aikValidated: false } })
    expect(causesOf(unproven, listing, NOW)).toEqual([{ kind: 'hardware_unproven' }])
  })

  test('are all there are, the age of the evidence left aside', () => {
    const record = recordOf('a', {
      attestationPolicyHash: PIN,
      claims: INSECURE,
      attested: -10_000,
    })
    expect(causesOf(record, BASELINE, NOW)).toHaveLength(2)
  })
})

describe('a cause that many good devices meet at once is found', () => {
  test('for a clause on the clock, before it bites', () => {
    const rules = { ...BASELINE, policy: until(minutes(10)) }
    const records = fleetOf(100)
    expect(find(records, { rules })).toEqual([
      {
        cause: { kind: 'clause', clause: 'clause_1' },
        devices: 100,
        good: 100,
        examples: ['dev_0', 'dev_1', 'dev_2', 'dev_3', 'dev_4'],
      },
    ])
    expect(find(records, { rules, lookAheadMs: 9 * MINUTE })).toEqual([])
  })

  test('for a clause on the clock, after it has bitten', () => {
    const rules = { ...BASELINE, policy: until(minutes(-1)) }
    expect(find(fleetOf(100), { rules })).toMatchObject([{ devices: 100, good: 100 }])
  })

  test('for a pin that expires', () => {
    const pin = { issuer: ISSUER, hash: PIN, valid_until: minutes(10).toISOString() }
    const rules = valuesOf({ azure_policies: [pin] })
    const records = fleetOf(50, { attestationPolicyHash: PIN })
    const cause = { kind: 'policy_not_pinned', issuer: ISSUER }
    expect(find(records, { rules })).toMatchObject([{ cause, devices: 50, good: 50 }])
    expect(find(records, { rules, lookAheadMs: 9 * MINUTE })).toEqual([])
  })

  test('for a root that expires, apart from devices under another', async () => {
    const other = await makeAnchor('other')
    const entry = ANCHOR.entry({ valid_until: minutes(10).toISOString() })
    const rules = valuesOf({ trust_anchors: [entry, other.entry()] })
    const under = (anchor: string) => ({ claims: { ...HEALTHY, aikTrustAnchor: anchor } })
    const records = [
      ...fleetOf(20, under(ANCHOR.fingerprint)),
      ...fleetOf(80, under(other.fingerprint), 20),
    ]
    const cause = { kind: 'anchor_not_listed', anchor: ANCHOR.fingerprint }
    expect(find(records, { rules })).toMatchObject([{ cause, devices: 20, good: 100 }])
    expect(find(records, { rules, lookAheadMs: 9 * MINUTE })).toEqual([])
  })

  test('for reference values that expire', () => {
    const expiring = agent({ valid_until: minutes(10).toISOString() })
    const rules = valuesOf({ enclaves: [expiring] })
    const found = find(fleetOf(30), { rules })
    expect(found.map(({ cause, devices }) => [cause.kind, devices])).toContainEqual(['clause', 30])
  })

  test('for first failures within the window, where devices were always asked', () => {
    const records = [
      ...fleetOf(20, { claims: INSECURE, attested: -5, failed: { secure_boot_on: -5 } }),
      ...fleetOf(80, {}, 20),
    ]
    const cause = { kind: 'clause', clause: 'secure_boot_on' }
    expect(find(records)).toMatchObject([{ cause, devices: 20, good: 100 }])
  })

  test('the one of the most devices first', () => {
    const noted = (clause: string) => ({ attested: -5, failed: { [clause]: -5 } })
    const vbsOff = { ...HEALTHY, vbsEnabled: false }
    const records = [
      ...fleetOf(10, { claims: INSECURE, ...noted('secure_boot_on') }),
      ...fleetOf(20, { claims: vbsOff, ...noted('vbs_on') }, 10),
    ]
    const causes = find(records).map(({ cause, devices }) => [Object.values(cause)[1], devices])
    expect(causes).toEqual([
      ['vbs_on', 20],
      ['secure_boot_on', 10],
    ])
  })
})

describe('nothing is found', () => {
  test('in a healthy fleet, or in none', () => {
    expect(find(fleetOf(100))).toEqual([])
    expect(find([])).toEqual([])
    expect(find([], { limits: { devices: 0, share: 0 } })).toEqual([])
  })

  test('over devices that failed before', () => {
    const long = fleetOf(50, { claims: INSECURE, failed: { secure_boot_on: -1000 } })
    expect(find([...long, ...fleetOf(50, {}, 50)])).toEqual([])
    const justOutside = { secure_boot_on: -31 }
    expect(find(fleetOf(50, { claims: INSECURE, failed: justOutside }))).toEqual([])
    const justInside = { secure_boot_on: -30 }
    expect(find(fleetOf(50, { claims: INSECURE, failed: justInside }))).toHaveLength(1)
  })

  test('over what a clause denies from a date on, which is meant', () => {
    const clauses = [{ id: 'coming', require: 'attestation.vbsEnabled', severity: 'enforce' }]
    const enforce_from = new Date(NOW.getTime() + LOOK_AHEAD / 2).toISOString()
    const document = clauses.map((one) => ({ ...one, enforce_from, texts: TEXTS }))
    const policy = expectOk(compilePolicy({ name: 'Test', clauses: document }))
    const fleet = fleetOf(20, { claims: { ...HEALTHY, vbsEnabled: false } })
    expect(find(fleet, { rules: { ...BASELINE, policy } })).toEqual([])
  })

  test('over first failures while it is not known whether devices were asked before', () => {
    const records = fleetOf(50, { claims: INSECURE, attested: -5, failed: { secure_boot_on: -5 } })
    expect(find(records, { isArmed: false })).toEqual([])
    expect(find(records, { isArmed: true })).toHaveLength(1)
  })

  test('over failures that nobody noted', () => {
    expect(find(fleetOf(50, { claims: INSECURE }))).toEqual([])
  })

  test('over devices that are bad for another reason, whatever they meet besides', () => {
    const rules = { ...BASELINE, policy: until(minutes(10)) }
    const bad = fleetOf(50, { claims: { ...HEALTHY, vbsEnabled: false } })
    expect(find(bad, { rules })).toEqual([])
    const found = find([...bad, ...fleetOf(50, {}, 50)], { rules })
    expect(found).toMatchObject([{ devices: 50, good: 50 }])
    expect(found[0]?.examples).toEqual(['dev_50', 'dev_51', 'dev_52', 'dev_53', 'dev_54'])
  })

  test('because evidence grows old on the way to the time that is looked at', () => {
    const age = 'now < attestation.attested_at + duration("65m")'
    const rules = { ...BASELINE, policy: policyOf(age) }
    expect(find(fleetOf(50, { attested: -60 }), { rules })).toEqual([])
  })
})

describe('the thresholds', () => {
  const failing = { claims: INSECURE, attested: -5, failed: { secure_boot_on: -5 } }
  const found = (bad: number, good: number) =>
    find([...fleetOf(bad, failing), ...fleetOf(good, {}, bad)]).length

  test('are a number of devices', () => {
    expect(found(9, 0)).toBe(0)
    expect(found(10, 0)).toBe(1)
  })

  test('and a share of the good ones', () => {
    expect(found(19, 1981)).toBe(0)
    expect(found(20, 1980)).toBe(1)
  })
})

test('each device is looked at under the rules that decide for it', () => {
  const expiring = { ...BASELINE, policy: until(minutes(10)) }
  const records = [...fleetOf(15, { labels: ['pilot'] }), ...fleetOf(85, {}, 15)]
  const rulesOf = ({ labels }: AttestedRecord) => (labels.length > 0 ? expiring : BASELINE)
  expect(find(records, { rulesOf })).toMatchObject([{ devices: 15, good: 100 }])
})

test('a shifted device has evidence that is as old then as it is now', () => {
  const record = recordOf('a')
  expect(shift(record, 0)).toBe(record)
  const { attestation, ...same } = shift(record, LOOK_AHEAD)
  expect({ ...same, attestation: record.attestation }).toEqual(record)
  expect(attestation).toEqual({
    ...record.attestation,
    attestedAt: minutes(-60 + 15),
    validUntil: minutes(420 + 15),
  })
  expect(record.attestation.claims.enclaveAuthorId).toBe(AUTHOR)
})
