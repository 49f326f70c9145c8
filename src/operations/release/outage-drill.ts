import type { Documents } from '../../access/assess.ts'
import { visitInSlices } from '../../base/slices.ts'
import { createDrill } from '../../replay/outage/drill.ts'
import type { Outage } from '../../replay/outage/outage.ts'
import type { DrillSummary } from '../../replay/outage/summary.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import { versionsInForce } from '../../rollout/in-force.ts'
import { readFleet } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import { createRulesReader, type RulesInForce } from './rules-in-force.ts'

export type DrillProgress = {
  readonly devices: number
  /** Devices on record, counted at most half a minute before the beginning. */
  readonly total: number
}

/**
 * Rehearses an outage of verifiers on the recorded fleet: who would lose access, and when. Every
 * device is under the documents, exceptions and holds that are in force for it; a rollout stays
 * where it is. Writes nothing. Rejects with the reason of `signal`.
 */
export async function drillOutage(input: {
  readonly store: Store
  readonly now: Date
  readonly outage: Outage
  /** The grace that decides now; the outage may assume another one. */
  readonly outageGraceMs: number
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware?: boolean | undefined
  /** Called after each batch. */
  readonly onProgress?: ((progress: DrillProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}): Promise<DrillSummary> {
  const { store, now, outage, onProgress, signal } = input
  signal?.throwIfAborted()
  const rulesInForce = await createRulesReader(store, { ...input, clock: () => now }).recent()
  const rules = rulesOf(rulesInForce)
  const drill = createDrill({
    outage,
    now,
    rulesFor: rulesInForce.rulesFor,
    rules,
    changes: rulesInForce.control.overrides.map(({ expiresAt }) => expiresAt),
  })
  const { devices: byVerdict } = await store.counts(now)
  const total = Object.values(byVerdict).reduce((sum, devices) => sum + devices, 0)
  const leaveOut = listUnreadClaims(rules)
  let devices = 0
  for await (const batch of readFleet(store, { leaveOut, signal })) {
    await visitInSlices(batch, drill.add)
    devices += batch.length
    onProgress?.({ devices, total: Math.max(total, devices) })
  }
  signal?.throwIfAborted()
  return drill.summary()
}

/** Each document that decides for somebody is in one of them. */
function rulesOf({
  control,
  active,
  rulesOf: find,
  referenceValues,
}: RulesInForce): readonly Documents[] {
  return [
    ...versionsInForce(control, 'policy').map((hash) => find(hash, active.referenceValues.hash)),
    ...referenceValues.map((values) => ({ policy: active.policy, referenceValues: values })),
  ]
}
