import { ok, type Result } from '../../base/result.ts'
import { PAGE_ROWS_MOST } from '../../store/devices/device-reads.ts'
import type { AssessedDevice } from './assess-device.ts'
import {
  type DeviceSearch,
  type FindDependencies,
  findDevices,
  type SearchFailure,
} from './find-devices.ts'

/**
 * The devices that are looked for, page by page in the order of their ids, as they are read: a page is only read when
 * it is asked for. A search that is refused ends with the refusal.
 */
export async function* walkDevices(
  dependencies: FindDependencies,
  search: DeviceSearch,
  signal?: AbortSignal,
): AsyncGenerator<Result<readonly AssessedDevice[], SearchFailure>, void, void> {
  let cursor: string | undefined
  do {
    signal?.throwIfAborted()
    const found = await findDevices(dependencies, { search, limit: PAGE_ROWS_MOST, cursor })
    if (!found.ok) {
      yield found
      return
    }
    yield ok(found.value.devices)
    cursor = found.value.nextCursor ?? undefined
  } while (cursor !== undefined)
}
