import { isDeviceId } from '../../access/device-id.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { AttributesToSet } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'
import type { SecondAdministrator, SecondAwaited } from '../release/second-administrator.ts'
import { type AttributeChanges, attributesNeedSecond } from './attributes-need-second.ts'
import type { DeviceFailure } from './change-standing.ts'

export type SecondAsked = {
  readonly store: Pick<Store, 'deviceDetail' | 'control' | 'document'>
  readonly second: SecondAdministrator
  readonly now: Date
}

/**
 * What is said about a device may decide about its access: then two administrators have to say it.
 * `undefined` where nothing is to be waited for.
 */
export async function askSecondForAttributes(
  { store, second, now }: SecondAsked,
  { deviceId, changes }: { readonly deviceId: string; readonly changes: AttributeChanges },
): Promise<SecondAwaited | undefined> {
  if (!second.isDemanded) return undefined
  const detail = isDeviceId(deviceId) ? await store.deviceDetail(deviceId, now) : null
  const { owner, entraDeviceId, labels } = detail?.record ?? {}
  const before = { owner, entraDeviceId, labels }
  const isDangerous = await attributesNeedSecond(store, { before, changes, now })
  return isDangerous ? second.ask(before) : undefined
}

/** Sets what administrators say of a device; members that are absent stay as they are. */
export async function labelDevice(
  store: SecondAsked['store'] & Pick<Store, 'setDeviceAttributes'>,
  {
    second,
    ...set
  }: Omit<AttributesToSet, 'labelsBefore'> & { readonly second: SecondAdministrator },
): Promise<Result<{ readonly changed: boolean }, DeviceFailure | SecondAwaited>> {
  const waits = await askSecondForAttributes({ store, second, now: set.now }, set)
  if (waits !== undefined) return err(waits)
  const answer = await store.setDeviceAttributes(set)
  if (answer === 'device_unknown') return err({ reason: 'device_not_found' })
  return ok({ changed: answer === 'applied' })
}
