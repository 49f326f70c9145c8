import { COMMAND } from '../../base/command.ts'
import type { AssessedDevice } from '../../operations/devices/assess-device.ts'
import {
  type DeviceSearch,
  type FindDependencies,
  findDevices,
} from '../../operations/devices/find-devices.ts'
import { PAGE_ROWS_MOST } from '../../store/devices/device-reads.ts'

/** The devices that are looked for, page by page in the order of their ids. */
export async function* walkDevices(
  dependencies: FindDependencies,
  search: DeviceSearch,
  signal?: AbortSignal,
): AsyncGenerator<readonly AssessedDevice[], void, void> {
  let cursor: string | undefined
  do {
    signal?.throwIfAborted()
    const found = await findDevices(dependencies, { search, limit: PAGE_ROWS_MOST, cursor })
    if (!found.ok) {
      throw new Error(
        `the database takes too long to find these devices: narrow the search, or go through all of them (${COMMAND} devices export)`,
      )
    }
    yield found.value.devices
    cursor = found.value.nextCursor ?? undefined
  } while (cursor !== undefined)
}
