import { isDeviceId } from '../access/device-id.ts'
import { VERDICTS } from '../access/trust-record.ts'
import type { HistoryEntry } from '../store/device-reads.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from './arguments.ts'
import { readSettings } from './settings.ts'
import { renderTable } from './table.ts'

const OPTIONS = {
  search: { type: 'string' },
  verdict: { type: 'string' },
  reason: { type: 'string' },
  limit: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

const BY = 'command line'
const HISTORY_SHOWN = 10

export const command: Command = {
  summary: 'list, show, quarantine, release or admit devices',
  help: `Usage: countersign devices list [--search TEXT] [--verdict VERDICT] [--limit N] [--json]
       countersign devices show DEVICE_ID [--json]
       countersign devices quarantine|release|admit DEVICE_ID --reason TEXT

  --search TEXT   beginning of a device id or Entra device id, part of an owner, or a label
  --verdict V     ${VERDICTS.join(', ')}
  --data DIR      the data directory of the embedded database (DATA_DIR; ./data); works while the
                  service runs on it. DATABASE_URL uses PostgreSQL.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [verb, id] = positionals
    const { database } = await readSettings(values)
    const store = await openStore(database)
    try {
      if (verb === 'list') return await list(store, values)
      if (id === undefined || !isDeviceId(id)) throw new UsageError('say which device: dev_…')
      if (verb === 'show') return await show(store, id, values.json)
      return await change(store, { verb, id, reason: values.reason })
    } finally {
      await store.close()
    }
  },
}

async function list(
  store: Store,
  values: {
    readonly search?: string | undefined
    readonly verdict?: string | undefined
    readonly limit?: string | undefined
    readonly json: boolean
  },
): Promise<number> {
  const verdict = VERDICTS.find((one) => one === values.verdict)
  if (values.verdict !== undefined && verdict === undefined) {
    throw new UsageError(`--verdict must be one of ${VERDICTS.join(', ')}`)
  }
  const page = await store.listDevices({
    limit: readCount(values.limit, 'limit', 50),
    now: new Date(),
    ...(values.search !== undefined && { search: values.search }),
    ...(verdict !== undefined && { verdict }),
  })
  if (values.json) {
    process.stdout.write(`${JSON.stringify(page.devices)}\n`)
    return 0
  }
  if (page.devices.length === 0) {
    process.stdout.write('No device matches. Devices appear with their first attestation.\n')
    return 0
  }
  const rows = page.devices.map((device) => [
    device.deviceId,
    device.verdict,
    device.enrolment,
    device.owner ?? '',
    device.labels.join(' '),
    device.attestedAt?.toISOString() ?? 'never',
  ])
  const head = ['device', 'verdict', 'enrolment', 'owner', 'labels', 'attested']
  process.stdout.write(`${renderTable(head, rows)}\n`)
  if (page.nextCursor !== null) process.stdout.write('There are more: raise --limit.\n')
  return 0
}

async function show(store: Store, id: string, json: boolean): Promise<number> {
  const detail = await store.deviceDetail(id, new Date())
  const history = await store.deviceHistory(id, { limit: HISTORY_SHOWN })
  if (detail === null && history.entries.length === 0) {
    throw new UsageError(`nothing is known about ${id}`)
  }
  if (json) {
    process.stdout.write(`${JSON.stringify({ device: detail, attestations: history.entries })}\n`)
    return 0
  }
  const { record } = detail ?? {}
  const claims = Object.entries(record?.attestation?.claims ?? {}).map(
    ([name, value]) => `  ${name}: ${JSON.stringify(value)}`,
  )
  const lines = [
    `Device     ${id}`,
    `Verdict    ${detail?.verdict ?? 'unknown (never recorded)'}`,
    `Enrolment  ${record?.enrolment ?? 'none'}`,
    ...(record?.quarantine
      ? [`Quarantine ${record.quarantine.by}: ${record.quarantine.reason}`]
      : []),
    ...(claims.length > 0 ? ['Claims', ...claims] : []),
    '',
    renderTable(['at', 'outcome', 'verdict', 'reasons'], history.entries.map(rowOf)),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function rowOf(entry: HistoryEntry): string[] {
  const reasons = entry.reasons.map((reason) => {
    const { clause, code } = reason as { readonly clause?: string; readonly code?: string }
    return clause ?? code ?? JSON.stringify(reason)
  })
  return [entry.at.toISOString(), entry.outcome, entry.verdict ?? '', reasons.join(' ')]
}

async function change(
  store: Store,
  input: {
    readonly verb: string | undefined
    readonly id: string
    readonly reason?: string | undefined
  },
): Promise<number> {
  const { verb, id, reason } = input
  const verbs = {
    quarantine: store.quarantineDevice,
    release: store.releaseDevice,
    admit: store.admitDevice,
  }
  const perform = verbs[verb as keyof typeof verbs]
  if (perform === undefined) throw new UsageError('say list, show, quarantine, release or admit')
  if (reason === undefined || reason.trim() === '') throw new UsageError('--reason is missing')
  const answer = await perform({ deviceId: id, by: BY, reason, now: new Date() })
  if (answer === 'device_unknown') throw new UsageError(`there is no device ${id}`)
  process.stdout.write(answer === 'applied' ? `${verb}: ${id}\n` : `${id} was so already\n`)
  return 0
}
