import type { Documents } from '../../access/assess.ts'
import { standingOf } from '../../access/verdict.ts'
import { type BreakdownCounter, CHANGED, createBreakdown } from './breakdown.ts'
import { createClauseChanges, shareOf } from './clause-changes.ts'
import { createClauseCounts } from './clause-counts.ts'
import {
  type Attested,
  type Comparison,
  createComparison,
  isAttested,
  type PreviewRecord,
} from './compare.ts'
import { createRefusals } from './refusals.ts'
import { AGES, type AgeCounts, type PreviewSummary, type RuleHashes } from './summary.ts'

/** Compares devices under two sets of rules, one after the other, in bounded memory. */
export type Preview = {
  readonly add: (record: PreviewRecord) => void
  /** Of what was added so far; the order does not matter. */
  readonly summary: () => PreviewSummary
}

export function createPreview(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
}): Preview {
  const { inForce, candidate, now } = input
  const compare = createComparison(input)
  const counts = createCounts()
  const denials = createClauseChanges()
  const allowances = createClauseChanges()
  const clauses = createClauseCounts(candidate.policy)
  const refusals = createRefusals(input)
  const breakdowns = {
    by_label: createBreakdown(),
    by_ring: createBreakdown(),
    by_owner: createBreakdown(),
    by_issuer: createBreakdown(),
  }

  const classify = (
    { deviceId, attestation }: Attested,
    { before, after }: Comparison,
  ): readonly number[] => {
    const origins = refusals.originsOf(attestation)
    if (before.verdict !== 'trusted' || origins.before !== 'accepted') {
      if (after.verdict !== 'trusted' || origins.after !== 'accepted') {
        counts.denied += 1
        return UNCHANGED
      }
      counts.allowed += 1
      allowances.add(deviceId, before.reasons)
      return ALLOWED
    }
    if (after.verdict !== 'trusted') {
      counts.newlyDenied += 1
      denials.add(deviceId, after.reasons)
      if (after.verdict !== 'unknown') return DENIED
      counts.undecidable += 1
      return UNDECIDABLE
    }
    if (origins.after !== 'accepted') {
      refusals.add(deviceId, attestation, origins.after)
      return REFUSED
    }
    counts.granted += 1
    return UNCHANGED
  }

  return {
    add(record) {
      const standing = standingOf(record, now)
      if (standing !== undefined) {
        counts.notCompared[standing] += 1
        return
      }
      if (!isAttested(record)) throw new TypeError('a device without a standing has attested')
      const comparison = compare(record)
      const changes = classify(record, comparison)
      counts.compared += 1
      const age = ageOf(record.attestation.attestedAt, now)
      counts.ages[age] += 1
      if (changes === DENIED || changes === UNDECIDABLE) counts.agesDenied[age] += 1
      clauses.add(comparison.outcomes)
      addToBreakdowns(breakdowns, record, changes)
    },
    summary: () => ({
      version: 1,
      at: now.toISOString(),
      in_force: hashesOf(inForce),
      candidate: hashesOf(candidate),
      devices: counts.compared + Object.values(counts.notCompared).reduce((sum, n) => sum + n, 0),
      compared: counts.compared,
      not_compared: { ...counts.notCompared },
      unchanged: { granted: counts.granted, denied: counts.denied },
      newly_denied: {
        devices: counts.newlyDenied,
        share: shareOf(counts.newlyDenied, counts.compared),
        undecidable: counts.undecidable,
        by_clause: denials.summary(counts.compared),
      },
      newly_allowed: {
        devices: counts.allowed,
        share: shareOf(counts.allowed, counts.compared),
        by_clause: allowances.summary(counts.compared),
      },
      newly_refused: refusals.summary(counts.compared),
      by_label: breakdowns.by_label.summary(),
      by_ring: breakdowns.by_ring.summary(),
      by_owner: breakdowns.by_owner.summary(),
      by_issuer: breakdowns.by_issuer.summary(),
      clauses: clauses.summary(),
      evidence_age: { compared: { ...counts.ages }, newly_denied: { ...counts.agesDenied } },
    }),
  }
}

const UNCHANGED: readonly number[] = []
const DENIED = [CHANGED.denied]
const UNDECIDABLE = [CHANGED.denied, CHANGED.undecidable]
const REFUSED = [CHANGED.refused]
const ALLOWED = [CHANGED.allowed]

function createCounts() {
  return {
    compared: 0,
    granted: 0,
    denied: 0,
    newlyDenied: 0,
    undecidable: 0,
    allowed: 0,
    notCompared: { quarantined: 0, enrolment_pending: 0, never_attested: 0, stale: 0 },
    ages: noAges(),
    agesDenied: noAges(),
  }
}

const HOUR_MS = 3_600_000
const AGE_LIMITS_HOURS = [1, 8, 24, 168]

function ageOf(attestedAt: Date, now: Date): (typeof AGES)[number] {
  const hours = (now.getTime() - attestedAt.getTime()) / HOUR_MS
  const index = AGE_LIMITS_HOURS.findIndex((limit) => hours < limit)
  return AGES[index] ?? 'older'
}

function noAges(): Record<keyof AgeCounts, number> {
  return { under_1h: 0, under_8h: 0, under_1d: 0, under_7d: 0, older: 0 }
}

function hashesOf({ policy, referenceValues }: Documents): RuleHashes {
  return { policy: policy.hash, reference_values: referenceValues.hash }
}

function addToBreakdowns(
  breakdowns: Readonly<Record<'by_label' | 'by_ring' | 'by_owner' | 'by_issuer', BreakdownCounter>>,
  record: PreviewRecord,
  changes: readonly number[],
): void {
  const { labels, ring, owner, attestation } = record
  breakdowns.by_label.add(labels, changes)
  breakdowns.by_ring.add([String(ring)], changes)
  breakdowns.by_owner.add([owner], changes)
  breakdowns.by_issuer.add([attestation?.issuer ?? null], changes)
}
