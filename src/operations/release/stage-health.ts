import type { Documents } from '../../access/assess.ts'
import { visitInSlices } from '../../base/slices.ts'
import { shift } from '../../replay/causes.ts'
import { isAttested } from '../../replay/preview/compare.ts'
import { createPreview } from '../../replay/preview/preview.ts'
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
 * Checks the stage that a rollout is in: the recorded claims of its devices under both documents, at
 * once and a day ahead, and what processes saw of real questions. A device lost in any of these is
 * lost; the worst of them counts.
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
  const at = (aheadMs: number) => replay(records, { ...rules, now, aheadMs })
  const today = await at(0)
  const tomorrow = await at(LOOK_AHEAD_MS)
  const worse = countLosses(tomorrow) > countLosses(today) ? tomorrow : today
  const seen = await store.rolloutObservations(rollout.rolloutId, rollout.revision)
  const asked = seen.reduce((sum, { newlyDenied }) => sum + newlyDenied, 0)
  const found = describeReplay(worse)
  const isAskedWorse = asked > countLosses(worse)
  const isTooMuch = (summary: PreviewSummary) =>
    exceedsBudget(rollout.plan, { newlyDenied: countLosses(summary), compared: today.compared })
  // Only what halts the rollout over what is still to come: that happens once, and names the time.
  const isAhead = !isAskedWorse && isTooMuch(tomorrow) && !isTooMuch(today)
  const from = isAhead ? await findBeginning(now, async (ms) => isTooMuch(await at(ms))) : null
  return {
    last: sample.last,
    health: {
      at: now.toISOString(),
      compared: today.compared,
      // What an administrator or a first attestation has to settle is nothing to wait for.
      devices: today.compared + today.not_compared.stale,
      newlyDenied: Math.max(asked, countLosses(worse)),
      ...(from !== null && { from: from.toISOString() }),
      ...(isAskedWorse ? describeObserved(seen) : found),
    },
  }
}

/** The whole second from which on it is too much, which it is not now and is a day ahead. */
async function findBeginning(
  now: Date,
  isTooMuchIn: (aheadMs: number) => Promise<boolean>,
): Promise<Date> {
  let before = Math.floor(now.getTime() / 1000)
  let after = Math.ceil((now.getTime() + LOOK_AHEAD_MS) / 1000)
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (await isTooMuchIn(middle * 1000 - now.getTime())) after = middle
    else before = middle
  }
  return new Date(after * 1000)
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

async function replay(
  records: readonly FleetRecord[],
  input: {
    readonly inForce: Documents
    readonly candidate: Documents
    readonly now: Date
    readonly aheadMs: number
  },
): Promise<PreviewSummary> {
  const { inForce, candidate, aheadMs } = input
  const preview = createPreview({
    inForce,
    candidate,
    now: new Date(input.now.getTime() + aheadMs),
  })
  await visitInSlices(records, (record) => {
    preview.add(isAttested(record) ? shift(record, aheadMs) : record)
  })
  return preview.summary()
}

function describeReplay({ newly_denied, newly_refused }: PreviewSummary) {
  const clauses = newly_denied.by_clause.map(({ clause, devices }) => ({ cause: clause, devices }))
  const policies = newly_refused.by_policy.map((one) => {
    return { cause: `policy_not_pinned ${one.issuer}`, devices: one.devices }
  })
  const anchors = newly_refused.by_anchor.map((one) => {
    return { cause: `anchor_not_listed ${one.name ?? one.anchor ?? 'none'}`, devices: one.devices }
  })
  const causes = [...clauses, ...policies, ...anchors].sort((a, b) => b.devices - a.devices)
  const examples = [
    ...newly_denied.by_clause,
    ...newly_refused.by_policy,
    ...newly_refused.by_anchor,
  ].flatMap((one) => one.examples)
  return { causes: causes.slice(0, CAUSES), examples: unique(examples) }
}

function describeObserved(seen: readonly Pick<RolloutObservation, 'causes' | 'examples'>[]) {
  const devices = new Map<string, number>()
  for (const { causes } of seen) {
    for (const [cause, count] of Object.entries(causes)) {
      devices.set(cause, (devices.get(cause) ?? 0) + count)
    }
  }
  const causes = [...devices].map(([cause, count]) => ({ cause, devices: count }))
  causes.sort((a, b) => b.devices - a.devices)
  return {
    causes: causes.slice(0, CAUSES),
    examples: unique(seen.flatMap(({ examples }) => examples)),
  }
}

function unique(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)].slice(0, EXAMPLES)
}
