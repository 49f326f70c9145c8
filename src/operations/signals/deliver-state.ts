import type { PushOutcome } from '../../signals/push-answer.ts'
import type { StateTarget } from '../../signals/state-target.ts'
import type { DeliveryOutcome } from '../../store/signals/delivery-outcomes.ts'
import type { DeliveryName, DueDelivery } from '../../store/signals/due-deliveries.ts'
import type { Store } from '../../store/store.ts'
import type { WriteDeviceState } from '../vendors/write-device-state.ts'

/** Whether a run may go on; asked before each push, and each request of a write. */
export type MayGoOn = () => Promise<boolean>

/**
 * Writes the state that a device has now, whatever change it is the delivery of: so the last one of a lane leaves
 * what is true, also where the stream was filled meanwhile. Of a device that is no longer on record nothing
 * is written, nor of one that is left out.
 */
export async function deliverState(
  writeState: WriteDeviceState,
  target: StateTarget,
  {
    due: { deviceId, owner, type, isExcluded, state },
    keepOn,
  }: { readonly due: DueDelivery; readonly keepOn: MayGoOn },
): Promise<PushOutcome> {
  if (type === 'test') return writeState(target, undefined, keepOn)
  if (type !== 'device-compliance-change' || isExcluded || state === null) {
    return { kind: 'delivered', isUnasked: true }
  }
  const { entraDeviceId, serial, verdict, enrolment } = state
  const isCompliant = verdict === 'trusted' && enrolment === 'admitted'
  const compliance = isCompliant ? 'compliant' : 'not-compliant'
  return writeState(target, { deviceId, owner, entraDeviceId, serial, compliance }, keepOn)
}

/**
 * Refused deliveries that are of no use any more, as a later one of the same device has ended: one line a device
 * is what there is to mend.
 */
export async function findSuperseded(
  store: Pick<Store, 'refusedInLanes'>,
  streamId: string,
  outcomes: readonly DeliveryOutcome[],
): Promise<readonly DeliveryName[]> {
  const ended = outcomes.filter(({ outcome }) => outcome !== 'later')
  const positionOf = new Map(ended.map(({ deviceId, position }) => [deviceId, position]))
  const refused = await store.refusedInLanes({ streamId, lanes: [...positionOf.keys()] })
  return refused.filter(({ deviceId, position }) => position < (positionOf.get(deviceId) ?? 0))
}
