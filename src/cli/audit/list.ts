import { isDeviceId } from '../../access/device-id.ts'
import { COMMAND } from '../../base/command.ts'
import { type AuditSearch, readAudit } from '../../operations/audit/read-audit.ts'
import type { Store } from '../../store/store.ts'
import { AUDIT_PAGE_MOST, type AuditEntry } from '../../store/system/audit-log.ts'
import { showAuditEntry } from '../../views/show-audit.ts'
import { EXIT, verb } from '../framework/command.ts'
import { limit, moment, option, preset, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'

export const listEntries = verb({
  summary: 'list entries, the newest first',
  about: `Entries are written with each change, by whoever makes it: an API client by its id, a command as
cli:USER@HOST, a job of the service by its name. Of an attestation the history of its device tells
(${COMMAND} devices show).`,
  database: 'existing',
  options: {
    device: option('DEVICE', 'entries about this device', (given, label) => {
      if (isDeviceId(given)) return given
      throw new UsageError(
        `${label}: '${given}' is no device id (${COMMAND} devices list shows them)`,
      )
    }),
    actor: text('ACTOR', 'what this one did: the id of a client, or cli:USER@HOST'),
    action: text('ACTION', 'entries of one action, such as device.quarantined'),
    since: preset(moment('TIME', 'since when, or so long ago'), '30d'),
    until: moment('TIME', 'before when'),
    limit: limit(50),
  },
  json: 'the entries, the newest first, as the administration API shows them',
  run: ({ device: deviceId, limit, json, data: _, ...search }) => {
    return (store) => list(store, { search: { ...search, deviceId }, limit, json })
  },
})

async function list(
  store: Store,
  asked: {
    readonly search: Omit<AuditSearch, 'limit' | 'before'>
    readonly limit: number
    readonly json: boolean
  },
): Promise<number> {
  const { search, limit: most, json } = asked
  const now = new Date()
  const entries: AuditEntry[] = []
  let before: AuditSearch['before']
  do {
    const rows = Math.min(most - entries.length, AUDIT_PAGE_MOST)
    const page = await readAudit(store, { ...search, limit: rows, before }, now)
    if (!page.ok) throw new Error('the database takes too long: say a later --since')
    entries.push(...page.value.entries)
    before = page.value.nextBefore ?? undefined
  } while (before !== undefined && entries.length < most)
  if (json) printJson(entries.map(showAuditEntry))
  else printText(describe(entries, before !== undefined))
  return EXIT.done
}

function describe(entries: readonly AuditEntry[], areMore: boolean): string {
  if (entries.length === 0) return 'There is no such entry in that time: say an earlier --since.\n'
  const rows = entries.map(({ at, actor, action, deviceId, detail, request }) => [
    at.toISOString(),
    actor,
    action,
    deviceId === 'service' ? '' : deviceId,
    JSON.stringify(detail),
    request === null ? '' : JSON.stringify(request),
  ])
  const more = areMore ? `\nThere are more than ${entries.length}: raise --limit.\n` : ''
  return `${renderTable(['at', 'actor', 'action', 'device', 'detail', 'request'], rows)}\n${more}`
}
