import type { Documents } from '../../access/assess.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { Attested } from '../../replay/preview/compare.ts'
import type { BothReliefs } from '../../replay/preview/judge.ts'
import { comingIntoForce, createPreview } from '../../replay/preview/preview.ts'
import { countLosses, type PreviewSummary } from '../../replay/preview/summary.ts'
import {
  exceedsBudget,
  type Rollout,
  type RolloutHealth,
  type RolloutStage,
} from '../../rollout/rollout.ts'
import { type FleetRecord, readSample } from '../../store/devices/fleet-reads.ts'
import type { RolloutObservation } from '../../store/rules/rollouts.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce } from './rules-in-force.ts'

/** Devices that one check replays. A stage of no more is replayed whole. */
const SAMPLE = 5000
/** How far ahead a check looks for what the new document will do by itself. */
const LOOK_AHEAD_MS = 24 * 3_600_000
const CAUSES = 10
const EXAMPLES = 5

/**
 * Checks the stage that a rollout is in: the recorded claims of its devices under both documents, from
 * now to a day ahead, and what processes saw of real questions. The worse of the two counts.
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
  const found = describeReplay(replayed)
  const isAskedWorse = asked > countLosses(replayed)
  const from = isAskedWorse ? undefined : findBeginning(replayed, rollout)
  return {
    last: sample.last,
    health: {
      at: now.toISOString(),
      compared: replayed.compared,
      // What an administrator or a first attestation has to settle is nothing to wait for.
      devices: replayed.compared + replayed.not_compared.stale,
      newlyDenied: Math.max(asked, countLosses(replayed)),
      ...(from !== undefined && { from }),
      ...(isAskedWorse ? describeObserved(seen) : found),
    },
  }
}

/** When it is too much, if it is not at once but later: ISO 8601. */
function findBeginning(summary: PreviewSummary, { plan }: Rollout): string | undefined {
  const { compared, denied_later } = summary
  const later = [{ at: undefined, devices: 0 }, ...denied_later.by_date]
  let newlyDenied = countLosses(summary) - denied_later.devices
  return later.find(({ devices }) => {
    newlyDenied += devices
    return exceedsBudget(plan, { newlyDenied, compared })
  })?.at
}

/** A stage holds the devices of those before it. */
function wholeStage({ plan, stage }: Rollout): RolloutStage {
  const reached = plan.stages.slice(0, stage + 1)
  return {
    percent: Math.max(...reached.map(({ percent }) => percent)),
    labels: [...new Set(reached.flatMap(({ labels }) => labels))],
  }
}

function rulesOfRollout({ kind, from, to }: Rollout, { active, rulesOf }: RulesInForce) {
  const { policy, referenceValues } = active
  const withVersion = (hash: string) =>
    kind === 'policy' ? rulesOf(hash, referenceValues.hash) : rulesOf(policy.hash, hash)
  return { inForce: withVersion(from), candidate: withVersion(to) }
}

/** What relieves a device: in the enforce pass the new document decides for it already. */
function reliefsUnder(
  { pass }: Rollout,
  input: Compared & { readonly rulesInForce: RulesInForce; readonly now: Date },
) {
  return (record: Attested): BothReliefs => {
    const { reliefs } = input.rulesInForce.rulesFor(record, input.now)
    const after = pass === 'enforce' ? reliefs : comingIntoForce(reliefs, input)
    return { before: reliefs, after }
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
