import { COMMAND } from '../../base/command.ts'
import type { AssessedDevice } from '../../operations/devices/assess-device.ts'
import type { DeviceSearch, FindDependencies } from '../../operations/devices/find-devices.ts'
import { walkDevices as walk } from '../../operations/devices/walk-devices.ts'

/** The devices that are looked for, page by page in the order of their ids. */
export async function* walkDevices(
  dependencies: FindDependencies,
  search: DeviceSearch,
  signal?: AbortSignal,
): AsyncGenerator<readonly AssessedDevice[], void, void> {
  for await (const page of walk(dependencies, search, signal)) {
    if (!page.ok) {
      throw new Error(
        `the database takes too long to find these devices: narrow the search, or go through all of them (${COMMAND} devices export)`,
      )
    }
    yield page.value
  }
}
