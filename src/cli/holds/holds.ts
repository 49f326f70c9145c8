import { COMMAND } from '../../base/command.ts'
import { endHold } from '../../operations/release/end-hold.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { StoredHold } from '../../store/rules/holds.ts'
import type { Store } from '../../store/store.ts'
import { showHold } from '../../views/show-control.ts'
import { group, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { limit, REASON, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'

const HOLD_ID = required(text('HOLD_ID', 'the hold: hld_…'), `${COMMAND} holds list shows them`)

export const command = group({
  about: `Many good devices that are denied for the same cause at once are evidence against the cause: a
clause, a verifier, a root. It is held then: it does not count for the devices that met it first in
the time of the hold. A hold ends by itself.`,
  verbs: {
    list: verb({
      summary: 'list holds, the newest first',
      database: 'existing',
      options: { limit: limit(20) },
      json: 'the holds, as the administration API shows them',
      run: (values) => (store) => list(store, values),
    }),
    end: verb({
      summary: 'end a hold before its time',
      about:
        'DANGER: when it ends, every device that meets its cause is denied with its next question.',
      database: 'existing',
      arguments: { id: HOLD_ID },
      options: { reason: REASON },
      json: 'the id of the hold, and whether it was changed',
      run: (values) => (store) => end(store, values),
    }),
  },
})

async function list(
  store: Store,
  { limit, json }: { readonly limit: number; readonly json: boolean },
): Promise<number> {
  const holds = await store.listHolds(limit)
  if (json) printJson(holds.map(showHold))
  else printText(describe(holds))
  return 0
}

function describe(holds: readonly StoredHold[]): string {
  if (holds.length === 0) return 'No cause was ever held.\n'
  const rows = holds.map(({ holdId, cause, since, until, endedAt, evidence }) => {
    const { devices } = Object(evidence)
    return [
      endedAt === null ? '*' : '',
      holdId,
      Object.values(cause).join(' '),
      typeof devices === 'number' ? String(devices) : '',
      since.toISOString(),
      (endedAt ?? until).toISOString(),
    ]
  })
  const table = renderTable(['', 'hold', 'cause', 'devices', 'since', 'until'], rows)
  return `${table}\n\n* is open: its cause does not count. To end one: ${COMMAND} holds end HOLD_ID --reason TEXT\n`
}

async function end(
  store: Store,
  { id, reason, json }: { readonly id: string; readonly reason: string; readonly json: boolean },
): Promise<number> {
  const now = new Date()
  const end = { holdId: id, by: COMMAND_LINE, reason, now, second: NO_SECOND }
  const ended = await endHold(store, end)
  if (!ended.ok) throw new Error(`there is no hold ${id}: ${COMMAND} holds list`)
  const { changed } = ended.value
  if (json) printJson({ hold_id: id, changed })
  else printText(`${id} has ended${changed ? '' : ' already: nothing was changed'}.\n`)
  return 0
}
