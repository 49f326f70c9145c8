import { deviceIdOf } from '../../access/device-id.ts'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { DeviceAttributes } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'
import type { SecondAdministrator, SecondAwaited } from '../release/second-administrator.ts'
import { askSecondForAttributes, type SecondAsked } from './label-device.ts'

export type EnrolDependencies = {
  readonly store: SecondAsked['store'] & Pick<Store, 'enrolDevice'>
  /** The ring of a device by what names it. */
  readonly ringOf: (identity: Uint8Array) => number
}

export type DeviceToList = {
  /** SHA-256 of the key that the device is known by, and what that key is. */
  readonly key: Uint8Array
  readonly keyKind: DeviceKeyKind
  readonly attributes: DeviceAttributes
  readonly by: string
  readonly second: SecondAdministrator
  readonly now: Date
}

/**
 * Lists a device before it has attested, by its key or by the endorsement key of its TPM: enrolment
 * mode `listed` admits no other. One that is known already stays as it is.
 */
export async function enrolDevice(
  { store, ringOf }: EnrolDependencies,
  { key, keyKind, attributes, by, second, now }: DeviceToList,
): Promise<Result<{ readonly deviceId: string; readonly isNew: boolean }, SecondAwaited>> {
  const deviceId = deviceIdOf(key)
  const about = { deviceId, changes: attributes }
  const waits = await askSecondForAttributes({ store, second, now }, about)
  if (waits !== undefined) return err(waits)
  const names = { deviceId, keyKind, deviceKeyHash: toBase64Url(key), ring: ringOf(key) }
  const answer = await store.enrolDevice({ ...names, attributes, by, now })
  return ok({ deviceId, isNew: answer === 'applied' })
}
