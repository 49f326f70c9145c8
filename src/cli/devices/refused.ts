import { COMMAND } from '../../base/command.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import { showRefusal } from '../../views/show-device.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'

/** Lists what was refused last, whichever device it was. */
export async function listRefused(
  store: Store,
  asked: { readonly since: Date; readonly limit: number; readonly json: boolean },
): Promise<number> {
  const { since, limit, json } = asked
  const { refusals, nextBefore } = await store.listRefusals({ since, limit })
  if (json) {
    printJson(refusals.map(showRefusal))
    return EXIT.done
  }
  if (refusals.length === 0) {
    printText(`Nothing was refused since ${since.toISOString()} of which a device is known.\n`)
    return EXIT.done
  }
  const rows = refusals.map(({ at, deviceId, isStranger, stage, reasons }) => [
    at.toISOString(),
    deviceId,
    isStranger ? 'nobody knows it' : '',
    stage,
    reasons.map(nameReason).join(', '),
  ])
  const table = renderTable(['at', 'device', '', 'stage', 'reason'], rows)
  const more =
    nextBefore === null ? '' : '\nThere are more: raise --limit, or --since a later time.\n'
  printText(`${table}\n${more}\nMore about one: ${COMMAND} devices show DEVICE_ID\n`)
  return EXIT.done
}

/** The clause or the code of a reason as it is recorded. */
export function nameReason(reason: Json): string {
  const { clause, code } = Object(reason)
  return String(clause ?? code ?? JSON.stringify(reason))
}
