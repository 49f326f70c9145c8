import fc from 'fast-check'
import { type Assessment, assess } from '../../src/access/assess.ts'
import { forgottenAfterMs } from '../../src/access/grace.ts'
import type { HeldCause, Reliefs } from '../../src/access/relief.ts'
import type { NotedGrace, TrustRecord } from '../../src/access/trust-record.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import {
  parseReferenceValues,
  type ReferenceValuesOptions,
} from '../../src/appraisal/reference-values.ts'
import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import type { ClauseOutcome } from '../../src/policy/language/evaluate.ts'
import type { Cause } from '../../src/rollout/hold.ts'
import { DEVICE, HEALTHY, TEXTS, withoutClaim } from '../policy/healthy-device.ts'
import { expectOk } from '../support/refusal.ts'
import { QUARANTINE } from './rules.ts'

const START = Date.parse('2026-05-04T10:00:00Z')
export const MINUTE_MS = 60_000
export const ISSUER = 'https://contoso.eus.attest.azure.net'
const OTHER_ISSUER = 'https://fabrikam.wus.attest.azure.net'
export const PIN = asAttestationPolicyHash(Buffer.alloc(32, 0x7a).toString('base64url'))
const OUTAGE_GRACE_MS = 30 * MINUTE_MS
const GRACE_MINUTES = 20

/** Minutes after the start. */
export const at = (minutes: number) => new Date(START + minutes * MINUTE_MS)

export const clause = (id: string, require: string, change: object = {}) => {
  return { id, require, severity: 'enforce', texts: TEXTS, ...change }
}
export const policyWith = (...clauses: readonly object[]) =>
  expectOk(compilePolicy({ name: 'Test', clauses }))
const SECURE_BOOT = 'attestation.secureBootEnabled'
const GRACE = { grace_seconds: GRACE_MINUTES * 60 }
/** None of them reads the clock. */
export const POLICIES = [
  policyWith(clause('boot', SECURE_BOOT)),
  policyWith(clause('boot', SECURE_BOOT, GRACE)),
  policyWith(clause('boot', SECURE_BOOT), clause('svn', 'attestation.enclaveSvn >= 7')),
  policyWith(clause('boot', SECURE_BOOT, GRACE), clause('svn', 'attestation.enclaveSvn >= 7')),
  policyWith(clause('svn', 'attestation.enclaveSvn >= 7', GRACE), clause('other', SECURE_BOOT)),
  policyWith(clause('boot', SECURE_BOOT, { severity: 'report' })),
]
const valuesOf = (issuers: readonly string[], options: ReferenceValuesOptions = {}) => {
  const azure_policies = issuers.map((issuer) => ({ issuer, hash: PIN }))
  return expectOk(parseReferenceValues({ enclaves: [], azure_policies }, options))
}
/** The first twice, so that origins do not hide everything else. */
const VALUES = [
  valuesOf([ISSUER, OTHER_ISSUER]),
  valuesOf([ISSUER, OTHER_ISSUER]),
  valuesOf([OTHER_ISSUER]),
  valuesOf([ISSUER, OTHER_ISSUER], { requiresHardware: true }),
]
/** Fails one clause and leaves another undecided: several times, as some of the drawing needs both. */
const MIXED = { ...withoutClaim('enclaveSvn'), secureBootEnabled: false }
const CLAIMS: readonly AttestationClaims[] = [
  HEALTHY,
  { ...HEALTHY, secureBootEnabled: false },
  { ...HEALTHY, aikValidated: false },
  { ...HEALTHY, enclaveSvn: 6 },
  { ...HEALTHY, enclaveSvn: 6, secureBootEnabled: false },
  withoutClaim('secureBootEnabled'),
  withoutClaim('enclaveSvn'),
  MIXED,
  MIXED,
  MIXED,
]
export const CAUSES: readonly Cause[] = [
  { kind: 'clause', clause: 'boot' },
  { kind: 'clause', clause: 'boot' },
  { kind: 'clause', clause: 'svn' },
  { kind: 'policy_not_pinned', issuer: ISSUER },
  { kind: 'hardware_unproven' },
  { kind: 'stale', issuer: ISSUER },
  { kind: 'stale', issuer: OTHER_ISSUER },
]

/** One device and all that counts for it. */
export type World = {
  readonly minutes: number
  readonly record: TrustRecord
  readonly policy: number
  readonly values: number
  readonly policySince: number
  readonly holds: readonly HeldCause[]
  readonly allowedUntil: Date | null
}

export const FIRST: World = {
  minutes: 0,
  record: {
    ...DEVICE,
    keyKind: 'aik',
    enrolment: 'pending',
    quarantine: null,
    attestation: null,
    firstFailedAt: {},
    graces: {},
    generation: 1,
    vouched: false,
    createdAt: at(-10),
  },
  policy: 0,
  values: 0,
  policySince: -1000,
  holds: [],
  allowedUntil: null,
}

export function reliefsOf({ policySince, holds, allowedUntil }: World): Reliefs {
  return {
    policySince: at(policySince),
    holds,
    allowedUntil,
    outageGraceMs: OUTAGE_GRACE_MS,
  }
}

export function rulesOf({ policy, values }: World) {
  const [rules, referenceValues] = [POLICIES[policy], VALUES[values]]
  if (rules === undefined || referenceValues === undefined) throw new TypeError('no such rules')
  return { policy: rules, referenceValues }
}

export function judge(world: World): Assessment {
  const { record, minutes } = world
  const reliefs = reliefsOf(world)
  return assess({ ...rulesOf(world), record, reliefs, now: at(minutes) })
}

export const EVENTS = [
  'attest',
  'clock',
  'documents',
  'relief begins',
  'relief ends',
  'quarantine',
  'release',
  'admit',
] as const

export type Event = {
  readonly name: (typeof EVENTS)[number]
  readonly apply: (world: World) => World
}

/** As the store keeps it: a clause that goes on failing keeps the time since when it does. */
export function attest(world: World, claims: AttestationClaims, validMinutes: number): World {
  const { minutes, record } = world
  const attestation = {
    attestationId: `att_${minutes}`,
    attestedAt: at(minutes),
    validUntil: at(minutes + validMinutes),
    issuer: ISSUER,
    attestationPolicyHash: PIN,
    confirmationKey: 'key',
    claims,
  }
  const fresh = { ...record, attestation, quarantine: null, enrolment: 'admitted' } as const
  const { clauseOutcomes } = judge({ ...world, record: fresh })
  const failing = clauseOutcomes.filter(
    ({ status }) => status === 'fail' || status === 'undecidable',
  )
  const firstFailedAt = Object.fromEntries(
    failing.map(({ clause: id }) => [id, record.firstFailedAt[id] ?? at(minutes).toISOString()]),
  )
  const graces = Object.fromEntries(clauseOutcomes.flatMap((one) => noteGrace(world, one)))
  return { ...world, record: { ...record, attestation, firstFailedAt, graces } }
}

/** Here no document binds anybody before it comes into force, and nobody proves the same twice. */
function noteGrace(
  { record, minutes, policySince }: World,
  { clause: id, severity, status, graceMs }: ClauseOutcome,
): readonly (readonly [string, NotedGrace])[] {
  if (severity !== 'enforce' || graceMs === undefined) return []
  const isFailing = status === 'fail' || status === 'undecidable'
  const now = at(minutes).toISOString()
  const noted = record.graces[id]
  const { met } = noted ?? {}
  const goesOn =
    noted !== undefined &&
    (met === undefined ||
      (at(policySince).toISOString() <= met &&
        at(minutes).getTime() < Date.parse(met) + forgottenAfterMs(graceMs)))
  if (goesOn) return [[id, isFailing ? { since: noted.since } : { ...noted, met: met ?? now }]]
  if (!isFailing) return []
  const first = record.firstFailedAt[id] ?? now
  const bound = at(policySince).toISOString()
  return [[id, { since: bound > first ? bound : first }]]
}

function changeRecord(change: Partial<TrustRecord>): Event['apply'] {
  return (world) => ({ ...world, record: { ...world.record, ...change } })
}

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.tuple(fc.constantFrom(...CLAIMS), fc.integer({ min: 1, max: 60 })).map(([claims, valid]) => ({
    name: 'attest' as const,
    apply: (world: World) => attest(world, claims, valid),
  })),
  fc.integer({ min: 1, max: 25 }).map((passed) => ({
    name: 'clock' as const,
    apply: (world: World) => ({ ...world, minutes: world.minutes + passed }),
  })),
  fc.nat(POLICIES.length - 1).map((policy) => ({
    name: 'documents' as const,
    apply: (world: World) => ({ ...world, policy, policySince: world.minutes }),
  })),
  fc.nat(VALUES.length - 1).map((values) => ({
    name: 'documents' as const,
    apply: (world: World) => ({ ...world, values }),
  })),
  fc
    .tuple(fc.constantFrom(...CAUSES), fc.nat(30), fc.integer({ min: 1, max: 60 }))
    .map(([cause, window, length]) => ({
      name: 'relief begins' as const,
      apply: (world: World) => {
        const { minutes, holds } = world
        const hold = { cause, covers: at(minutes - window), until: at(minutes + length) }
        return { ...world, holds: [...holds, hold] }
      },
    })),
  fc.nat(3).map((index) => ({
    name: 'relief ends' as const,
    apply: (world: World) => ({ ...world, holds: world.holds.filter((_, at) => at !== index) }),
  })),
  fc.integer({ min: 1, max: 60 }).map((length) => ({
    name: 'relief begins' as const,
    apply: (world: World) => {
      const until = at(world.minutes + length)
      const { allowedUntil } = world
      const longest = allowedUntil !== null && allowedUntil > until ? allowedUntil : until
      return { ...world, allowedUntil: longest }
    },
  })),
  fc.constant({
    name: 'relief ends' as const,
    apply: (world: World) => ({ ...world, allowedUntil: null }),
  }),
  fc.constant({ name: 'quarantine' as const, apply: changeRecord({ quarantine: QUARANTINE }) }),
  fc.constant({ name: 'release' as const, apply: changeRecord({ quarantine: null }) }),
  fc.constant({ name: 'admit' as const, apply: changeRecord({ enrolment: 'admitted' }) }),
)

/** Lives begin admitted and attested often enough that something happens in them. */
export const life = fc
  .tuple(fc.boolean(), fc.array(event, { minLength: 1, maxLength: 40, size: 'max' }))
  .map(([isAdmitted, events]) => {
    const enrolment = isAdmitted ? 'admitted' : 'pending'
    const first: World = { ...FIRST, record: { ...FIRST.record, enrolment } }
    return { first, events }
  })
