import type { Metrics } from '../../base/metrics.ts'
import { createRecordReader, FLEET_PAGE_ROWS } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import type { Expiries } from './expiries.ts'
import { readPosition, sumOfCounts, writePosition } from './fleet-tally.ts'
import { lookAt, recordFound, unreadClaims } from './look-at-devices.ts'

/** Devices that one round looks at. What is left waits for the next round. */
export const SWEEP_DEVICES_A_ROUND = 20_000

export type SweepDependencies = {
  readonly store: Pick<
    Store,
    'inForce' | 'fleetPage' | 'announceVerdicts' | 'noteUnmet' | 'keepFleetSummary'
  >
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'announced' | 'sweepCycle'>
  /** Is told of evidence that ends soon. */
  readonly expiries: Expiries
}

/**
 * One round of the sweep: tells others whose verdict is not what they were told last, because
 * evidence or grace ended, a hold began, or other documents came into force; notes which clauses devices
 * do not meet, by which they are found; and counts devices by verdict and failing clause on the way. It
 * goes on at `position`, which holds what was counted, and answers where the next round does; the whole
 * fleet is one cycle, at whose end the counts are kept and after which the next one begins.
 *
 * Any number of these may run at once and die anywhere: what is told is told by a compare-and-set in
 * the same statement, so that each change is told once, and what is not told the next cycle finds.
 */
export async function sweepFleet(
  dependencies: SweepDependencies,
  position: string,
): Promise<string> {
  const { store, rules, clock, metrics, expiries } = dependencies
  let { since, after, counts } = readPosition(position, clock())
  const toRecord = createRecordReader()
  for (let looked = 0; looked < SWEEP_DEVICES_A_ROUND; looked += FLEET_PAGE_ROWS) {
    const rulesInForce = await rules.at(await store.inForce())
    const leaveOut = unreadClaims(rulesInForce)
    const rows = await store.fleetPage({ after, limit: FLEET_PAGE_ROWS, leaveOut })
    const now = clock()
    const found = await lookAt(rows, { toRecord, rulesInForce, now, expiries })
    const told = await recordFound(dependencies, { ...found, rulesInForce, now })
    // Other rules are in force by now: the same page again, under these.
    if (told === 'superseded') continue
    metrics.announced.inc(told)
    counts = sumOfCounts(counts, found.counted)
    const last = rows.at(-1)
    if (last === undefined || rows.length < FLEET_PAGE_ROWS) {
      await store.keepFleetSummary({ counts, at: now })
      metrics.sweepCycle.set((now.getTime() - since) / 1000)
      return ''
    }
    after = last.deviceId
  }
  return writePosition({ since, after, counts })
}
