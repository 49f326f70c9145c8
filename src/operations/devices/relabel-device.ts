import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import { problemOfAttributes } from './attributes.ts'
import type { DeviceFailure } from './change-standing.ts'

export const RELABEL_REASONS = ['labels_refused', 'labels_contended'] as const

export type RelabelFailure =
  | DeviceFailure
  /** What the labels would be is more than there may be, or a label is too long. */
  | { readonly reason: 'labels_refused'; readonly detail: string }
  /** Others changed the labels of this device again and again meanwhile. */
  | { readonly reason: 'labels_contended' }

/** Whoever is overtaken looks again this often. */
const ATTEMPTS = 3

/** Adds labels to a device and takes others away, whatever others do to them at the same time. */
export async function relabelDevice(
  store: Pick<Store, 'deviceDetail' | 'setDeviceAttributes'>,
  change: {
    readonly deviceId: string
    readonly add: readonly string[]
    readonly remove: readonly string[]
    readonly by: string
    readonly now: Date
  },
): Promise<
  Result<{ readonly changed: boolean; readonly labels: readonly string[] }, RelabelFailure>
> {
  const { deviceId, add, remove, by, now } = change
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const detail = await store.deviceDetail(deviceId, now)
    if (detail === null) return err({ reason: 'device_not_found' })
    const labelsBefore = detail.record.labels
    const kept = labelsBefore.filter((label) => !remove.includes(label))
    const labels = [...new Set([...kept, ...add])]
    const problem = problemOfAttributes({ labels })
    if (problem !== undefined) return err({ reason: 'labels_refused', detail: problem })
    const set = { deviceId: detail.record.deviceId, changes: { labels }, labelsBefore, by, now }
    const answer = await store.setDeviceAttributes(set)
    if (answer === 'device_unknown') return err({ reason: 'device_not_found' })
    if (answer !== 'superseded') return ok({ changed: answer === 'applied', labels })
  }
  return err({ reason: 'labels_contended' })
}
