import type { Documents } from '../../access/assess.ts'
import type { Reliefs } from '../../access/relief.ts'
import { standingOf } from '../../access/verdict.ts'
import { planQuestionTimes } from '../questions/question-times.ts'
import { type BreakdownCounter, CHANGED, createBreakdown } from './breakdown.ts'
import { createClauseChanges, shareOf } from './clause-changes.ts'
import { createClauseCounts } from './clause-counts.ts'
import { type Attested, isAttested, type PreviewRecord } from './compare.ts'
import { type BothReliefs, createJudge, type JudgedBoth } from './judge.ts'
import { createLaterDenials } from './later-denials.ts'
import { lookAhead } from './look-ahead.ts'
import { type Moments, planMoments } from './moments.ts'
import { createRefusals, type Refused } from './refusals.ts'
import {
  AGES,
  type AgeCounts,
  type MomentsLookedAt,
  type PreviewSummary,
  type RuleHashes,
} from './summary.ts'

/** Compares devices under two sets of rules, one after the other, in bounded memory. */
export type Preview = {
  readonly add: (record: PreviewRecord) => void
  /** Of what was added so far; the order does not matter. */
  readonly summary: () => PreviewSummary
}

/**
 * The candidate is taken to come into force for every device at `now`. Verdicts are those that
 * decisions would come to, then and at every later time at which they can change, while each device
 * goes on attesting the same.
 */
export function createPreview(input: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
  /** What may keep access open for a device; without it nothing but the graces of clauses. */
  readonly reliefsOf?: ((record: Attested) => BothReliefs) | undefined
  /** How far ahead it looks; without it as far as the documents go. */
  readonly horizonMs?: number | undefined
}): Preview {
  const { inForce, candidate, now, reliefsOf = () => withoutReliefs(input) } = input
  const moments = planMoments(input)
  const leftOutOfQuestions = planQuestionTimes(input).leftOut
  const judge = createJudge({ inForce, candidate, moments, reliefsOf })
  const counts = createCounts()
  const denials = createClauseChanges()
  const allowances = createClauseChanges()
  const later = createLaterDenials()
  const clauses = createClauseCounts(candidate.policy, judge.wasReached)
  const refusals = createRefusals(input)
  const breakdowns = {
    by_label: createBreakdown(),
    by_ring: createBreakdown(),
    by_owner: createBreakdown(),
    by_issuer: createBreakdown(),
  }

  const classify = (record: Attested, { before, after }: JudgedBoth): readonly number[] => {
    const { deviceId, attestation } = record
    if (before.verdict.verdict !== 'trusted') {
      if (after.verdict.verdict !== 'trusted') {
        counts.denied += 1
        return UNCHANGED
      }
      counts.allowed += 1
      allowances.add(deviceId, before.reasons)
      return ALLOWED
    }
    if (after.verdict.verdict === 'trusted') {
      counts.granted += 1
      return UNCHANGED
    }
    if (isRefused(after.origin) && !after.reasons.some((reason) => 'clause' in reason)) {
      refusals.add(deviceId, attestation, after.origin)
      return REFUSED
    }
    counts.newlyDenied += 1
    denials.add(deviceId, after.reasons)
    if (after.reasons.some(({ code }) => code === 'clause_failed')) return DENIED
    counts.undecidable += 1
    return UNDECIDABLE
  }

  return {
    add(record) {
      const standing = standingOf(record, now)
      if (standing !== undefined) {
        counts.notCompared[standing] += 1
        return
      }
      if (!isAttested(record)) throw new TypeError('a device without a standing has attested')
      const device = judge.begin(record)
      const first = device.at(now.getTime())
      const changes = classify(record, first)
      const ahead = lookAhead(device, first, moments)
      if (ahead.isCut) counts.cut += 1
      if (ahead.lost !== undefined) later.add(record, ahead.lost)
      counts.compared += 1
      if (reliefsOf(record).pinnedUntil) counts.pinned += 1
      const age = ageOf(record.attestation.attestedAt, now)
      counts.ages[age] += 1
      if (changes === DENIED || changes === UNDECIDABLE) counts.agesDenied[age] += 1
      clauses.add({ first, ahead, graces: device.graces(now.getTime()) })
      addToBreakdowns(breakdowns, record, ahead.lost === undefined ? changes : withLater(changes))
    },
    summary: () => ({
      version: 2,
      at: now.toISOString(),
      moments: describeMoments(moments, { leftOutOfQuestions, cut: counts.cut }),
      in_force: hashesOf(inForce),
      candidate: hashesOf(candidate),
      devices: counts.compared + Object.values(counts.notCompared).reduce((sum, n) => sum + n, 0),
      compared: counts.compared,
      pinned: counts.pinned,
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
      denied_later: later.summary(counts.compared),
      by_label: breakdowns.by_label.summary(),
      by_ring: breakdowns.by_ring.summary(),
      by_owner: breakdowns.by_owner.summary(),
      by_issuer: breakdowns.by_issuer.summary(),
      clauses: clauses.summary(),
      request_clauses: candidate.policy.clauses
        .filter(({ scope }) => scope === 'request')
        .map(({ id }) => id),
      evidence_age: { compared: { ...counts.ages }, newly_denied: { ...counts.agesDenied } },
    }),
  }
}

function isRefused(origin: JudgedBoth['after']['origin']): origin is Refused {
  return origin !== 'accepted'
}

/** What is in force has been for ever, and the candidate comes into force now. */
function withoutReliefs({
  inForce,
  candidate,
  now,
}: {
  readonly inForce: Documents
  readonly candidate: Documents
  readonly now: Date
}): BothReliefs {
  const before = { policySince: EVER, holds: [], allowedUntil: null, outageGraceMs: 0 }
  return { before, after: comingIntoForce(before, { inForce, candidate, now }) }
}

const EVER = new Date(0)

/** The reliefs of a device for which what differs in the candidate comes into force at `now`. */
export function comingIntoForce(
  reliefs: Reliefs,
  {
    inForce,
    candidate,
    now,
  }: { readonly inForce: Documents; readonly candidate: Documents; readonly now: Date },
): Reliefs {
  const { policySince, referenceValuesSince } = reliefs
  const isNewPolicy = inForce.policy.hash !== candidate.policy.hash
  const areNewValues = inForce.referenceValues.hash !== candidate.referenceValues.hash
  return {
    ...reliefs,
    policySince: isNewPolicy ? now : policySince,
    referenceValuesSince: areNewValues ? now : referenceValuesSince,
  }
}

const MOMENTS_LISTED = 40

function describeMoments(
  { times, leftOut, leftOutOfCandidate, readsHours, isYearAhead }: Moments,
  { leftOutOfQuestions, cut }: { readonly leftOutOfQuestions: number; readonly cut: number },
): MomentsLookedAt {
  return {
    looked_at: times.slice(0, MOMENTS_LISTED).map((time) => new Date(time).toISOString()),
    count: times.length,
    hourly: readsHours,
    year_ahead: isYearAhead,
    left_out: leftOut + leftOutOfQuestions,
    left_out_of_candidate: leftOutOfCandidate + leftOutOfQuestions,
    devices_cut: cut,
  }
}

/** The same changes, and that the device is denied later. */
function withLater(changes: readonly number[]): readonly number[] {
  return changes.length === 0 ? LATER : [...changes, CHANGED.later]
}

const LATER = [CHANGED.later]
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
    cut: 0,
    pinned: 0,
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
