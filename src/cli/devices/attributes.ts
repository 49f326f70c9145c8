import { COMMAND } from '../../base/command.ts'
import { labelDevice } from '../../operations/devices/label-device.ts'
import { type RelabelFailure, relabelDevice } from '../../operations/devices/relabel-device.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { DeviceAttributes } from '../../store/devices/device-changes.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'

/** Adds and removes labels of devices, one after the other. */
export async function relabel(
  store: Store,
  asked: {
    readonly ids: readonly string[]
    readonly add: readonly string[]
    readonly remove: readonly string[]
    readonly json: boolean
  },
): Promise<number> {
  const { ids, add, remove, json } = asked
  const told: object[] = []
  for (const deviceId of ids) {
    const change = { deviceId, add, remove, by: COMMAND_LINE, now: new Date() }
    const done = await relabelDevice(store, change)
    if (!done.ok) throw new Error(`${describe(deviceId, done.failure)}${soFar(told.length)}`)
    const { changed, labels } = done.value
    told.push({ device_id: deviceId, changed, labels })
    if (json) continue
    const state = labels.length === 0 ? 'has no label' : `has the labels ${labels.join(', ')}`
    printText(`${deviceId} ${state}${changed ? '' : ' already: nothing was changed'}.\n`)
  }
  if (json) printJson(told)
  return EXIT.done
}

function describe(id: string, failure: RelabelFailure): string {
  switch (failure.reason) {
    case 'device_not_found':
      return `there is no device ${id}: ${COMMAND} devices list`
    case 'labels_refused':
      return `${id}: ${failure.detail}`
    case 'labels_contended':
      return `${id}: somebody else changes its labels at the same time: try again`
  }
}

/** Sets the owner or the name of devices, or takes it away with `null`. */
export async function setAttribute(
  store: Store,
  asked: {
    readonly ids: readonly string[]
    readonly changes: Pick<DeviceAttributes, 'owner' | 'name'>
    readonly done: string
    readonly json: boolean
  },
): Promise<number> {
  const { ids, changes, done, json } = asked
  const told: object[] = []
  for (const deviceId of ids) {
    const change = { deviceId, changes, by: COMMAND_LINE, now: new Date(), second: NO_SECOND }
    const set = await labelDevice(store, change)
    if (!set.ok) {
      throw new Error(
        `there is no device ${deviceId}: ${COMMAND} devices list${soFar(told.length)}`,
      )
    }
    const { changed } = set.value
    told.push({ device_id: deviceId, changed })
    if (!json) {
      printText(`${deviceId} ${done}${changed ? '' : ' already: nothing was changed'}.\n`)
    }
  }
  if (json) printJson(told)
  return EXIT.done
}

/** Those before the one that failed are done. */
function soFar(done: number): string {
  return done === 0 ? '' : `; the ${done} before it are done`
}
