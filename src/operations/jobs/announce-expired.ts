import { createRecordReader, FLEET_PAGE_ROWS } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import { lookAt, recordFound, unreadClaims } from './look-at-devices.ts'
import type { SweepDependencies } from './sweep.ts'

export type AnnounceExpiredDependencies = Omit<SweepDependencies, 'store'> & {
  readonly store: Pick<Store, 'inForce' | 'fleetRows' | 'announceVerdicts' | 'noteUnmet'>
}

/** Tells others of devices whose evidence has just ended. Asks the database nothing where there is none. */
export async function announceExpired(dependencies: AnnounceExpiredDependencies): Promise<void> {
  const { store, rules, clock, metrics, expiries } = dependencies
  const toRecord = createRecordReader()
  for (;;) {
    const deviceIds = expiries.due(clock(), FLEET_PAGE_ROWS)
    if (deviceIds.length === 0) return
    const rulesInForce = await rules.at(await store.inForce())
    const rows = await store.fleetRows({ deviceIds, leaveOut: unreadClaims(rulesInForce) })
    const now = clock()
    const found = await lookAt(rows, { toRecord, rulesInForce, now, expiries })
    const told = await recordFound(dependencies, { ...found, rulesInForce, now })
    // Other rules are in force by now: a sweep is under way because of them.
    if (told !== 'superseded') metrics.announced.inc(told)
  }
}
