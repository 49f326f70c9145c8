import type { Documents } from '../../access/assess.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { Attested } from '../../replay/preview/compare.ts'
import type { BothReliefs } from '../../replay/preview/judge.ts'
import { comingIntoForce, createPreview } from '../../replay/preview/preview.ts'
import { countLosses, listLaterLosses, type PreviewSummary } from '../../replay/preview/summary.ts'
import { findExcess } from '../../rollout/budget.ts'
import {
  enforcedSince,
  type Rollout,
  type RolloutHealth,
  wholeStage,
} from '../../rollout/rollout.ts'
import { type FleetRecord, readSample } from '../../store/devices/fleet-reads.ts'
import type { RolloutObservation } from '../../store/rules/rollouts.ts'
import type { Store } from '../../store/store.ts'
import { afterPins } from './compared-rules.ts'
import type { RulesInForce } from './rules-in-force.ts'

/** Devices that one check replays. A stage of no more is replayed whole. */
const SAMPLE = 5000
/** How far ahead a check looks for what the new document will do by itself. */
const LOOK_AHEAD_MS = 24 * 3_600_000
const CAUSES = 10
const EXAMPLES = 5

/**
 * Checks the stage that a rollout is in: the recorded claims of its devices under both documents, from
 * now to a day ahead, and what processes saw of real questions. The worse of the two counts as what is
 * lost now.
 */
export async function checkStage(
  store: Pick<Store, 'fleetPage' | 'rolloutObservations'>,
  input: {
    readonly rollout: Rollout
    readonly rulesInForce: RulesInForce
    /** Where the last check of this stage ended. */
    readonly after: string
    /** Whether a device counts against the budget. */
    readonly counts: (record: FleetRecord) => boolean
    readonly now: Date
  },
): Promise<{ readonly health: RolloutHealth; readonly last: string }> {
  const { rollout, rulesInForce, after, now } = input
  const stage = wholeStage(rollout)
  const sample = await readSample(store, { after, most: SAMPLE, stage })
  const records = sample.records.filter(input.counts)
  const rules = rulesOfRollout(rollout, rulesInForce)
  const reliefsOf = reliefsUnder(rollout, { rulesInForce, ...rules, now })
  const preview = createPreview({ ...rules, now, reliefsOf, horizonMs: LOOK_AHEAD_MS })
  await visitInSlices(records, preview.add)
  const replayed = preview.summary()
  const seen = await store.rolloutObservations(rollout.rolloutId, rollout.revision)
  const asked = seen.reduce((sum, { newlyDenied }) => sum + newlyDenied, 0)
  const later = listLaterLosses(replayed)
  const replayedNow = countLosses(replayed) - replayed.denied_later.devices
  const isAskedWorse = asked > replayedNow
  const losses = {
    compared: replayed.compared,
    newlyDenied: Math.max(asked, replayedNow) + replayed.denied_later.devices,
    ...(later.length > 0 && { later }),
  }
  const excess = findExcess(rollout.plan.budget, losses, now)
  const isLater = excess !== undefined && excess > now
  return {
    last: sample.last,
    health: {
      ...losses,
      at: now.toISOString(),
      // What an administrator or a first attestation has to settle is nothing to wait for.
      devices: replayed.compared + replayed.not_compared.stale,
      ...(isLater && { from: excess.toISOString() }),
      ...(isAskedWorse && !isLater ? describeObserved(seen) : describeReplay(replayed)),
    },
  }
}

function rulesOfRollout({ kind, from, to }: Rollout, { active, rulesOf }: RulesInForce) {
  const { policy, referenceValues } = active
  const withVersion = (hash: string) =>
    kind === 'policy' ? rulesOf(hash, referenceValues.hash) : rulesOf(policy.hash, hash)
  return { inForce: withVersion(from), candidate: withVersion(to) }
}

/**
 * What relieves a device: in the enforce pass the new document decides for it already, or did but for a pin.
 */
function reliefsUnder(
  rollout: Rollout,
  input: Compared & { readonly rulesInForce: RulesInForce; readonly now: Date },
) {
  return (record: Attested): BothReliefs => {
    const { rulesInForce, now } = input
    const { kind, pass } = rollout
    const { reliefs, pinnedUntil } = afterPins(rulesInForce, { kind, record, now })
    if (pass !== 'enforce') {
      return { before: reliefs, after: comingIntoForce(reliefs, input), pinnedUntil }
    }
    if (pinnedUntil === null) return { before: reliefs, after: reliefs }
    const since = { ...input, now: enforcedSince(rollout, record) }
    return { before: reliefs, after: comingIntoForce(reliefs, since), pinnedUntil }
  }
}

type Compared = { readonly inForce: Documents; readonly candidate: Documents }

function describeReplay({ newly_denied, newly_refused, denied_later }: PreviewSummary) {
  const devices = new Map<string, number>()
  const add = (cause: string, more: number) => devices.set(cause, (devices.get(cause) ?? 0) + more)
  for (const one of newly_denied.by_clause) add(one.clause, one.devices)
  for (const one of newly_refused.by_policy) add(`policy_not_pinned ${one.issuer}`, one.devices)
  for (const one of newly_refused.by_anchor) {
    add(`anchor_not_listed ${one.name ?? one.anchor ?? 'none'}`, one.devices)
  }
  for (const one of denied_later.by_cause) add(one.cause, one.devices)
  const causes = listCauses(devices)
  const examples = [
    ...newly_denied.by_clause,
    ...newly_refused.by_policy,
    ...newly_refused.by_anchor,
    ...denied_later.by_cause,
  ].flatMap((one) => one.examples)
  return { causes, examples: unique(examples) }
}

/** The most devices first. */
function listCauses(devices: ReadonlyMap<string, number>): RolloutHealth['causes'] {
  const causes = [...devices].map(([cause, count]) => ({ cause, devices: count }))
  return causes.sort((a, b) => b.devices - a.devices).slice(0, CAUSES)
}

function describeObserved(seen: readonly Pick<RolloutObservation, 'causes' | 'examples'>[]) {
  const devices = new Map<string, number>()
  for (const { causes } of seen) {
    for (const [cause, count] of Object.entries(causes)) {
      devices.set(cause, (devices.get(cause) ?? 0) + count)
    }
  }
  return {
    causes: listCauses(devices),
    examples: unique(seen.flatMap(({ examples }) => examples)),
  }
}

function unique(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)].slice(0, EXAMPLES)
}
