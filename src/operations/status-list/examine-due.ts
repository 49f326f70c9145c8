import type { Metrics } from '../../base/metrics.ts'
import { createRecordReader, type FleetRow } from '../../store/devices/fleet-reads.ts'
import type { DueRow } from '../../store/devices/status-list.ts'
import type { Store } from '../../store/store.ts'
import type { Expiries } from '../jobs/expiries.ts'
import { lookAt, recordFound, unreadClaims } from '../jobs/look-at-devices.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { duesOf } from './dues.ts'

export type DueDependencies = {
  readonly store: Pick<
    Store,
    | 'inForce'
    | 'dueStatuses'
    | 'fleetRows'
    | 'announceVerdicts'
    | 'noteUnmet'
    | 'statusListRevision'
    | 'patchStatusList'
  >
  readonly rules: Pick<RulesReader, 'at'>
  readonly clock: () => Date
  readonly metrics: Pick<Metrics, 'announced'>
  /** Is told of evidence that ends soon. */
  readonly expiries: Expiries
}

/** What one round looks at: rows, and devices at once. */
const DUE_ROWS = 500
const DEVICES_AT_ONCE = 500
const MOST_TURNS = 40

/**
 * Looks at the devices of the list whose evidence ends now, as far as was known: others are told of those
 * that are compliant no longer, by what a decision would say of them, and those that have attested since
 * are looked at when that ends. The sweep would find them too, some time.
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
  { store, rules, clock, metrics, expiries }: DueDependencies,
  deviceIds: readonly string[],
): Promise<(readonly [string, Date | null])[]> {
  const rulesInForce = await rules.at(await store.inForce())
  const rows = await store.fleetRows({ deviceIds, leaveOut: unreadClaims(rulesInForce) })
  const now = clock()
  const toRecord = createRecordReader()
  const found = await lookAt(rows, { toRecord, rulesInForce, now, expiries })
  const told = await recordFound({ store }, { ...found, rulesInForce, now })
  if (told !== 'superseded') metrics.announced.inc(told)
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
