import type { OverrideLosses } from '../operations/release/override-losses.ts'
import type { Override } from '../rollout/override.ts'
import { isOpen, type Rollout } from '../rollout/rollout.ts'
import { earliestEnd, waitOf } from '../rollout/waits.ts'
import type { StoredHold } from '../store/rules/holds.ts'
import type { RolloutObservation } from '../store/rules/rollouts.ts'

/** A rollout as it stands on the wire and in the JSON of the command line. */
export function showRollout(rollout: Rollout, now: Date) {
  const { plan, health } = rollout
  const wait = waitOf(rollout, now)
  return {
    rollout_id: rollout.rolloutId,
    kind: rollout.kind,
    from: rollout.from,
    to: rollout.to,
    state: rollout.state,
    pass: rollout.pass,
    stage: rollout.stage,
    since: rollout.since,
    waits_for: isOpen(rollout.state) ? wait : null,
    earliest_end: earliestEnd(rollout, now) ?? null,
    note: rollout.note,
    despite: rollout.despite ?? null,
    author: rollout.author,
    reason: rollout.reason,
    created_at: rollout.createdAt,
    updated_at: rollout.updatedAt,
    revision: rollout.revision,
    plan: {
      stages: plan.stages,
      bake_seconds: plan.bakeSeconds,
      minimum_sample: plan.minimumSample,
      budget: plan.budget,
      promotion: plan.promotion,
      hours: plan.hours,
    },
    health: health && {
      at: health.at,
      compared: health.compared,
      devices: health.devices,
      newly_denied: health.newlyDenied,
      from: health.from ?? null,
      causes: health.causes,
      examples: health.examples,
    },
  }
}

/** The halt of a rollout of a document, beside the document; `null` where none has halted. */
export function showHalt(halted: Rollout | undefined) {
  if (halted === undefined) return null
  const { rolloutId: rollout_id, updatedAt: at, note, despite = null } = halted
  return { rollout_id, at, note, despite }
}

/** What processes saw of real questions since the last step, all of them together. */
export function showObserved(
  seen: readonly Pick<RolloutObservation, 'decisions' | 'newlyDenied'>[],
) {
  const sum = (count: (one: Pick<RolloutObservation, 'decisions' | 'newlyDenied'>) => number) =>
    seen.reduce((total, one) => total + count(one), 0)
  return { decisions: sum((one) => one.decisions), newly_denied: sum((one) => one.newlyDenied) }
}

export function showOverride(override: Override) {
  return {
    override_id: override.overrideId,
    action: override.action,
    target: override.target,
    kind: override.action === 'pin' ? override.kind : null,
    hash: override.action === 'pin' ? override.hash : null,
    reason: override.reason,
    author: override.author,
    created_at: override.createdAt,
    expires_at: override.expiresAt,
  }
}

/** Whom a change of an exception denies, beside it. */
export function showLosses({ devices, lookedAt, isWhole }: OverrideLosses) {
  return { devices, looked_at: lookedAt, complete: isWhole }
}

export function showHold(hold: StoredHold) {
  return {
    hold_id: hold.holdId,
    cause: hold.cause,
    covers: hold.covers,
    since: hold.since,
    until: hold.until,
    ended_at: hold.endedAt,
    evidence: hold.evidence,
  }
}
