import { isDeviceId } from '../../access/device-id.ts'
import { VERDICTS } from '../../access/trust-record.ts'
import { type DeviceSummary, PAGE_ROWS_MOST } from '../../store/devices/device-reads.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { COMMAND_LINE, withDatabase } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { renderTable } from '../framework/table.ts'
import { showDevice } from './show.ts'

const OPTIONS = {
  search: { type: 'string' },
  verdict: { type: 'string' },
  reason: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

const LISTED = 50

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign devices list [--search TEXT] [--verdict VERDICT] [--limit N] [--json]
       countersign devices show DEVICE_ID [--json]
       countersign devices quarantine|release|admit|sign-out DEVICE_ID --reason TEXT

  --search TEXT     beginning of a device id or Entra device id, part of an owner, or a label
  --verdict VERDICT ${VERDICTS.join(', ')}
  --limit N         list at most so many (${LISTED})
  --reason TEXT     why; kept in the audit log
  --data DIR        the data directory of the embedded database (DATA_DIR; ./data); works while the
                    service runs on it. DATABASE_URL uses PostgreSQL.
  --json            print JSON, as the administration API does

quarantine ends trust in a device until it is released, whatever it attests. admit ends the wait of
a device that attested for the first time while ENROLMENT is 'approval'. sign-out ends the device
tokens of a device, as where its key may be known to others: it gets another when it attests again.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb, id] = positionals
    const perform = prepare(verb, id, values)
    return withDatabase(await readSettings(values), { mayCreate: false }, perform)
  },
}

type Values = {
  readonly search?: string | undefined
  readonly verdict?: string | undefined
  readonly limit?: string | undefined
  readonly reason?: string | undefined
  readonly json: boolean
}

type Perform = (store: Store) => Promise<number>

/** Looks at the arguments before the database is opened. */
function prepare(verb: string | undefined, id: string | undefined, values: Values): Perform {
  if (verb === 'list') {
    if (id !== undefined) throw new UsageError(`'${id}' is one argument too many (--search finds)`)
    return list(values)
  }
  const isChange = verb !== undefined && Object.hasOwn(CHANGES, verb)
  if (verb !== 'show' && !isChange) {
    throw new UsageError('say list, show, quarantine, release, admit or sign-out')
  }
  if (id === undefined || !isDeviceId(id)) {
    const said = id === undefined ? 'say which device' : `'${id}' is no device id`
    throw new UsageError(`${said}: dev_… (countersign devices list)`)
  }
  return isChange
    ? change(verb, id, values)
    : (store) => showDevice(store, { id, json: values.json, now: new Date() })
}

function list(values: Values): Perform {
  const verdict = VERDICTS.find((one) => one === values.verdict)
  if (values.verdict !== undefined && verdict === undefined) {
    throw new UsageError(`--verdict must be one of ${VERDICTS.join(', ')}`)
  }
  const limit = readCount(values.limit, 'limit', LISTED, 1)
  const query = {
    now: new Date(),
    ...(values.search !== undefined && { search: values.search }),
    ...(verdict !== undefined && { verdict }),
  }
  return async (store) => {
    const devices: DeviceSummary[] = []
    let cursor: string | null = null
    do {
      const rows = Math.min(limit - devices.length, PAGE_ROWS_MOST)
      const from: { cursor?: string } = cursor === null ? {} : { cursor }
      const page = await store.listDevices({ ...query, ...from, limit: rows })
      devices.push(...page.devices)
      cursor = page.nextCursor
    } while (cursor !== null && devices.length < limit)
    if (values.json) {
      const { showSummary } = await import('../../views/show-device.ts')
      printJson(devices.map(showSummary))
    } else printText(describeList(devices, cursor !== null))
    return 0
  }
}

function describeList(devices: readonly DeviceSummary[], areMore: boolean): string {
  if (devices.length === 0) {
    return 'No device matches. Devices appear with their first attestation.\n'
  }
  const rows = devices.map((device) => [
    device.deviceId,
    device.verdict,
    device.enrolment,
    device.owner ?? '',
    device.labels.join(' '),
    device.attestedAt?.toISOString() ?? 'never',
  ])
  const head = ['device', 'verdict', 'enrolment', 'owner', 'labels', 'attested']
  const more = areMore
    ? `\nThere are more than ${devices.length}: raise --limit, or --search.\n`
    : ''
  return `${renderTable(head, rows)}\n${more}`
}

const CHANGES = {
  quarantine: (store: Store) => store.quarantineDevice,
  release: (store: Store) => store.releaseDevice,
  admit: (store: Store) => store.admitDevice,
  'sign-out': (store: Store) => store.signOutDevice,
} as const

const DONE: Readonly<Record<string, string>> = {
  quarantine: 'is quarantined',
  release: 'is released',
  admit: 'is admitted',
  'sign-out': 'is signed out',
}

function change(verb: string, id: string, { reason = '' }: Values): Perform {
  if (reason.trim() === '') throw new UsageError('--reason is missing')
  return async (store) => {
    const perform = CHANGES[verb as keyof typeof CHANGES](store)
    const answer = await perform({ deviceId: id, by: COMMAND_LINE, reason, now: new Date() })
    if (answer === 'device_unknown') throw new Error(`there is no device ${id}`)
    const unchanged = answer === 'unchanged' ? ' already: nothing was changed' : ''
    printText(`${id} ${DONE[verb]}${unchanged}.\n`)
    return 0
  }
}
