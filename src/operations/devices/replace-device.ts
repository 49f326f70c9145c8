import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { SecondAdministrator, SecondAwaited } from '../release/second-administrator.ts'
import type { DeviceFailure } from './change-standing.ts'
import { askSecondForAttributes, type SecondAsked } from './label-device.ts'

export type ReplaceStore = SecondAsked['store'] &
  Pick<Store, 'setDeviceAttributes' | 'quarantineDevice'>

/**
 * A machine has been given another TPM, so that it came as another device: what administrators said of the one before
 * (owner, name, serial number, Entra id, labels) is said of this one from now on, where nothing else is, and the one
 * before is quarantined, as its TPM may be anywhere. Each step may be repeated: whoever is interrupted does all of it again.
 */
export async function replaceDevice(
  store: ReplaceStore,
  input: {
    readonly deviceId: string
    /** The device before. */
    readonly replaced: string
    readonly reason: string
    readonly by: string
    readonly second: SecondAdministrator
    readonly now: Date
  },
): Promise<Result<{ readonly changed: boolean }, DeviceFailure | SecondAwaited>> {
  const { deviceId, replaced, reason, by, second, now } = input
  const [device, before] = await Promise.all([
    store.deviceDetail(deviceId, now),
    store.deviceDetail(replaced, now),
  ])
  if (device === null || before === null) return err({ reason: 'device_not_found' })
  const [own, other] = [device.record, before.record]
  // Names of one device are that device already.
  if (own.deviceId === other.deviceId) return ok({ changed: false })
  const changes = {
    owner: own.owner ?? other.owner,
    entraDeviceId: own.entraDeviceId ?? other.entraDeviceId,
    name: device.about.name ?? before.about.name,
    serial: device.about.serial ?? before.about.serial,
    labels: [...new Set([...own.labels, ...other.labels])],
  }
  const set = { deviceId: own.deviceId, changes, by, now }
  const waits = await askSecondForAttributes({ store, second, now }, set)
  if (waits !== undefined) return err(waits)
  // First of all the one before stops to count. Its names go last, so that none is lost where this is interrupted.
  const old = { deviceId: other.deviceId, by, now }
  const why = `replaced by ${own.deviceId}: ${reason}`
  const quarantined = await store.quarantineDevice({ ...old, reason: why })
  const answer = await store.setDeviceAttributes(set)
  const isGone = quarantined === 'device_unknown' || answer === 'device_unknown'
  if (isGone) return err({ reason: 'device_not_found' })
  await store.setDeviceAttributes({ ...old, changes: { entraDeviceId: null, serial: null } })
  return ok({ changed: answer === 'applied' || quarantined === 'applied' })
}
