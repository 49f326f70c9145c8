import type { StoredHold } from '../../store/rules/holds.ts'
import type { Store } from '../../store/store.ts'
import { showHold } from '../../views/show-control.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { COMMAND_LINE, withDatabase } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { renderTable } from '../framework/table.ts'

const OPTIONS = {
  reason: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

const LISTED = 20

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign holds list [--limit N] [--json]
       countersign holds end HOLD_ID --reason TEXT [--json]

Many good devices that are denied for the same cause at once are evidence against the cause: a
clause, a verifier, a root. It is held then: it does not count for the devices that met it first in
the time of the hold. A hold ends by itself.

  --reason TEXT  why it ends before; kept in the audit log
  --limit N      list at most so many (${LISTED})
  --data DIR     the data directory of the embedded database (DATA_DIR; ./data); works while the
                 service runs on it. DATABASE_URL uses PostgreSQL.
  --json         print JSON, as the administration API does

DANGER: when a hold ends, every device that meets its cause is denied with its next question.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb, id] = positionals
    const perform = prepare(verb, id, values)
    return withDatabase(await readSettings(values), { mayCreate: false }, perform)
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values']
type Perform = (store: Store) => Promise<number>

/** Looks at the arguments before the database is opened. */
function prepare(verb: string | undefined, id: string | undefined, values: Values): Perform {
  const { json, limit, reason } = values
  if (verb === 'list') {
    if (id !== undefined) throw new UsageError(`'${id}' is one argument too many`)
    if (reason !== undefined) throw new UsageError('--reason is not for holds list')
    const most = readCount(limit, 'limit', LISTED, 1)
    return (store) => list(store, { limit: most, json })
  }
  if (verb !== 'end') throw new UsageError('say list or end')
  if (id === undefined) throw new UsageError('say which hold: hld_… (countersign holds list)')
  if (limit !== undefined) throw new UsageError('--limit is not for holds end')
  if (reason === undefined || reason.trim() === '') throw new UsageError('--reason is missing')
  return (store) => end(store, { id, reason, json })
}

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
  return `${table}\n\n* is open: its cause does not count. To end one: countersign holds end HOLD_ID --reason TEXT\n`
}

async function end(
  store: Store,
  { id, reason, json }: { readonly id: string; readonly reason: string; readonly json: boolean },
): Promise<number> {
  const now = new Date()
  const answer = await store.endHold({ holdId: id, by: COMMAND_LINE, reason, now })
  if (answer === 'hold_unknown') throw new Error(`there is no hold ${id}: countersign holds list`)
  const changed = answer === 'applied'
  if (json) printJson({ hold_id: id, changed })
  else printText(`${id} has ended${changed ? '' : ' already: nothing was changed'}.\n`)
  return 0
}
