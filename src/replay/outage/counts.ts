import type { AttestedRecord } from '../causes.ts'
import { EXAMPLE_DEVICES, LISTED_KEYS } from '../preview/limits.ts'
import { compareKeys, createTally } from '../preview/tally.ts'
import { type CourseOfLosses, createCourseOfLosses } from './course-of-losses.ts'
import type { Loss } from './find-loss.ts'
import { createExamples, createGroups } from './groups.ts'
import type { Outage } from './outage.ts'
import type { DrillSummary, NotCounted, ReasonLosses } from './summary.ts'
import { listSteps } from './timeline.ts'

const LISTED_OWNERS = 10
const REASONS_COUNTED = 256

/** Everything that a drill counts. */
export function createCounts(outage: Outage) {
  const left = createLeftOut()
  const losses = { without: createCourseOfLosses(outage), with: createCourseOfLosses(outage) }
  const reasons = createReasons()
  const by = { label: createGroups(), owner: createGroups(), verifier: createGroups() }
  const examples = createExamples(EXAMPLE_DEVICES)
  let trusted = 0
  let firstEnd = Infinity

  return {
    leaveOut: left.add,
    add(record: AttestedRecord, lost: Loss | undefined, lostWith: Loss | undefined): void {
      trusted += 1
      const { deviceId, labels, owner, attestation } = record
      const device = { deviceId, withoutGrace: lost?.at, withGrace: lostWith?.at }
      by.label.add(labels, device)
      by.owner.add([owner], device)
      by.verifier.add([attestation.issuer], device)
      reasons.add(lost, lostWith)
      if (lost === undefined) return
      losses.without.add(lost.at)
      if (lost.reason === 'stale') firstEnd = Math.min(firstEnd, attestation.validUntil.getTime())
      examples.add(device)
      if (lostWith !== undefined) losses.with.add(lostWith.at)
    },
    summary: (now: Date): DrillSummary => ({
      ...describeOutage(outage, now),
      devices: trusted + left.devices(),
      trusted,
      ...left.summary(),
      ...describeLosses(outage, losses, trusted),
      grace_needed_seconds: graceNeeded(firstEnd, outage.until),
      by_reason: reasons.summary(),
      by_label: by.label.summary(LISTED_KEYS),
      by_owner: by.owner.summary(LISTED_OWNERS),
      by_verifier: by.verifier.summary(LISTED_KEYS),
      examples: examples.list(),
    }),
  }
}

function describeOutage({ verifier, from, until, stepMs, graceMs }: Outage, now: Date) {
  return {
    version: 1 as const,
    at: now.toISOString(),
    from: from.toISOString(),
    until: until.toISOString(),
    step_seconds: stepMs / 1000,
    grace_seconds: graceMs / 1000,
    verifier: verifier ?? null,
  }
}

function createLeftOut() {
  const counts: Record<NotCounted, number> = {
    quarantined: 0,
    enrolment_pending: 0,
    never_attested: 0,
    stale: 0,
    denied: 0,
    before_outage: 0,
    other_verifier: 0,
  }
  const verifiers = createTally(1)
  return {
    add(why: NotCounted, issuer: string | undefined): void {
      counts[why] += 1
      if (why === 'other_verifier' && issuer !== undefined) verifiers.add(issuer, FIRST)
    },
    devices: () => Object.values(counts).reduce((sum, devices) => sum + devices, 0),
    summary: () => ({
      not_counted: { ...counts },
      other_verifiers: verifiers
        .entries()
        .map(([issuer, [devices = 0]]) => ({ issuer: issuer ?? '', devices }))
        .sort((a, b) => b.devices - a.devices || compareKeys(a.issuer, b.issuer))
        .slice(0, LISTED_KEYS),
    }),
  }
}

const FIRST = [0]
const SECOND = [1]

function createReasons() {
  const tally = createTally(2, REASONS_COUNTED)
  return {
    add(lost: Loss | undefined, lostWith: Loss | undefined): void {
      if (lost !== undefined) tally.add(lost.reason, FIRST)
      if (lostWith !== undefined) tally.add(lostWith.reason, SECOND)
    },
    summary: (): readonly ReasonLosses[] =>
      tally
        .entries()
        .map(([reason, [without_grace = 0, with_grace = 0]]) => {
          return { reason: reason ?? '', without_grace, with_grace }
        })
        .sort((a, b) => b.without_grace - a.without_grace || compareKeys(a.reason, b.reason)),
  }
}

function describeLosses(
  outage: Outage,
  losses: Readonly<Record<'without' | 'with', CourseOfLosses>>,
  trusted: number,
) {
  const without = losses.without.byStep()
  const withGrace = losses.with.byStep()
  return {
    without_grace: losses.without.summary(trusted),
    with_grace: losses.with.summary(trusted),
    steps: listSteps(outage).map((at, step) => ({
      at: at.toISOString(),
      without_grace: without[step] ?? 0,
      with_grace: withGrace[step] ?? 0,
    })),
  }
}

/** Evidence has to count until just after the end. */
function graceNeeded(firstEnd: number, until: Date): number | null {
  if (firstEnd === Infinity) return null
  return Math.floor((until.getTime() - firstEnd) / 1000) + 1
}
