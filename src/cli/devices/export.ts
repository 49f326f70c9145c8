import type { Config } from '../../config/config.ts'
import type { DeviceSearch } from '../../operations/devices/find-devices.ts'
import type { Store } from '../../store/store.ts'
import { EXPORTS, type ExportFormat } from '../../views/export-devices.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { writeOut } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { deviceFinder } from './filters.ts'
import { walkDevices } from './walk.ts'

/** Writes devices to standard output while they are read, no faster than it takes them. */
export async function exportDevices(
  store: Store,
  config: Config,
  asked: { readonly search: DeviceSearch; readonly format: ExportFormat },
): Promise<number> {
  const { head, line } = EXPORTS[asked.format]
  const signal = listenForStop()
  const progress = createProgress(process.stderr, () => new Date())
  let devices = 0
  try {
    if (head !== '') await writeOut(head)
    for await (const page of walkDevices(deviceFinder(store, config), asked.search, signal)) {
      if (page.length > 0) await writeOut(page.map(line).join(''))
      devices += page.length
      if (!process.stdout.isTTY) progress.show(`${count(devices)} devices written`)
    }
    return EXIT.done
  } finally {
    progress.end()
  }
}
