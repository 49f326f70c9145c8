import type { FleetRow } from '../../store/devices/fleet-reads.ts'
import type { DueRow } from '../../store/devices/status-list.ts'
import type { Store } from '../../store/store.ts'
import { type LookAtIdsDependencies, lookAtIds } from '../jobs/look-at-devices.ts'
import { duesOf } from './dues.ts'

export type DueDependencies = LookAtIdsDependencies & {
  readonly store: Pick<Store, 'dueStatuses' | 'statusListRevision' | 'patchStatusList'>
}

/** What one round looks at: rows, and devices at once. */
const DUE_ROWS = 500
const DEVICES_AT_ONCE = 500
const MOST_TURNS = 40

/**
 * Looks at the devices of the list whose evidence ends now, as far as was known when they were written into it.
 * Others are told of those that are compliant no longer, by what a decision would say of them; those that have
 * attested since are looked at when that evidence ends.
 *
 * When a device is due stands in the database, to the minute, so that the list stays true within its `ttl` however
 * long the sweep takes for the fleet, and whatever processes end. `Expiries` tells the same ends sooner where
 * they were noted; such a device is found here as one of which there is nothing to tell.
 */
export async function examineDue(dependencies: DueDependencies): Promise<void> {
  const { store, clock } = dependencies
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const revision = await store.statusListRevision()
    const due = await store.dueStatuses({ now: clock(), rows: DUE_ROWS })
    if (due.length === 0) return
    const deviceIds = [...new Set(due.flatMap((row) => row.deviceIds))]
    const again: (readonly [string, Date | null])[] = []
    for (let at = 0; at < deviceIds.length; at += DEVICES_AT_ONCE) {
      again.push(...(await examine(dependencies, deviceIds.slice(at, at + DEVICES_AT_ONCE))))
    }
    await settle(dependencies, { revision, due, again })
  }
}

/** Which of them are to be looked at again, and when their evidence ends. */
async function examine(
  dependencies: DueDependencies,
  deviceIds: readonly string[],
): Promise<(readonly [string, Date | null])[]> {
  const rows = await lookAtIds(dependencies, deviceIds)
  return rows.filter(isListedAsTrusted).map(({ deviceId, validUntil }) => {
    return [deviceId, validUntil === null ? null : new Date(Math.round(validUntil))]
  })
}

/**
 * Whether the list says of the device that it is trusted: only then has it to be looked at when its evidence
 * ends. A device of which the list says anything else is written into it anew once it is trusted, and
 * `writeStatuses` has it looked at again from then on.
 */
function isListedAsTrusted({ listedVerdict }: FleetRow): boolean {
  return listedVerdict === 'trusted'
}

/** Others may have written meanwhile: then what was due still is, and the next turn does it again. */
async function settle(
  { store, clock }: DueDependencies,
  looked: {
    readonly revision: number
    readonly due: readonly DueRow[]
    readonly again: readonly (readonly [string, Date | null])[]
  },
): Promise<void> {
  const { revision, due: done, again } = looked
  const now = clock()
  const dues = duesOf(again, now)
  await store.patchStatusList({ revision, patches: [], dues, done, retired: [], now })
}
