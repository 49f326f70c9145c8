import { patchesOf } from '../../access/status-list/chunks.ts'
import { RETIRED, STATUS_OF, type Status } from '../../access/status-list/statuses.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { UnlistedDevice } from '../../store/devices/status-list.ts'
import type { Store } from '../../store/store.ts'
import { duesOf } from './dues.ts'

export type WriteDependencies = {
  readonly store: Pick<
    Store,
    'statusListRevision' | 'unlistedDevices' | 'retiredPlaces' | 'patchStatusList' | 'noteListed'
  >
  /** The index in the list of a place. */
  readonly statusIndexOf: (place: number) => number
  readonly clock: () => Date
}

/**
 * Devices that are written at once: more have each chunk written less often, but their rows are read in one
 * piece, for which whoever asks for a decision waits.
 */
export const STATUSES_AT_ONCE = 2500
const MOST_TURNS = 40
/** Rows that are locked at once, for whoever attests meanwhile. */
const NOTED_AT_ONCE = 500

/**
 * Writes into the list what others were told of devices since it was written last. Answers the time of
 * which everything is in the list, or `undefined` where more is left than a round does.
 */
export async function writeStatuses(dependencies: WriteDependencies): Promise<Date | undefined> {
  const { store, clock } = dependencies
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const begun = clock()
    // Before what is written is read: who reads later writes later, or not at all.
    const revision = await store.statusListRevision()
    const devices = await store.unlistedDevices(STATUSES_AT_ONCE)
    const retired = await store.retiredPlaces(STATUSES_AT_ONCE)
    if (devices.length === 0 && retired.length === 0) return begun
    const written = await write(dependencies, { revision, devices, retired, now: begun })
    const isRest = devices.length < STATUSES_AT_ONCE && retired.length < STATUSES_AT_ONCE
    if (written === 'applied' && isRest) return begun
  }
  return undefined
}

async function write(
  { store, statusIndexOf }: WriteDependencies,
  input: {
    readonly revision: number
    readonly devices: readonly UnlistedDevice[]
    readonly retired: readonly number[]
    readonly now: Date
  },
): Promise<'applied' | 'superseded'> {
  const { revision, devices, retired, now } = input
  const places = [
    ...retired.map((place) => [place, RETIRED] as const),
    ...devices.map(({ place, verdict }) => [place, STATUS_OF[verdict]] as const),
  ]
  const entries: (readonly [number, Status])[] = []
  // An index is several digests: of so many places a tenth of a second.
  await visitInSlices(places, ([place, status]) => {
    entries.push([statusIndexOf(place), status])
  })
  const trusted = devices.filter(({ verdict }) => verdict === 'trusted')
  const dues = duesOf(
    trusted.map(({ deviceId, validUntil }) => [deviceId, validUntil] as const),
    now,
  )
  const patch = { revision, patches: patchesOf(entries), dues, done: [], retired, now }
  const written = await store.patchStatusList(patch)
  if (written === 'superseded') return written
  for (let at = 0; at < devices.length; at += NOTED_AT_ONCE) {
    await store.noteListed(devices.slice(at, at + NOTED_AT_ONCE))
  }
  return written
}
