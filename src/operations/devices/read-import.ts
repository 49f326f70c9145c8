import { deviceIdOf, isDeviceId, parseDeviceKey } from '../../access/device-id.ts'
import type { DeviceKeyKind } from '../../access/trust-record.ts'
import { type CsvFailure, parseCsv, unguardCell } from '../../base/csv.ts'
import { isStorableText, toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { DeviceReference, RowToImport } from '../../store/devices/device-changes.ts'
import { attributesOf, problemOfAttributes } from './attributes.ts'

/** Columns by which a row names its device, the first that is filled in counting. */
const NAMING = ['device_id', 'device_key', 'ek_public_hash', 'entra_device_id', 'serial'] as const
const ATTRIBUTES = ['owner', 'name', 'labels'] as const
const COLUMNS: readonly string[] = [...NAMING, ...ATTRIBUTES]
/** What an export has besides. It is read from the fleet and not written to it. */
const EXPORTED = [
  ...['verdict', 'enrolment', 'issuer', 'ring', 'quarantined_at', 'attested_at', 'valid_until'],
  ...['created_at', 'reasons', 'unmet', 'relief', 'overrides'],
]

/** Rows of one file. */
export const IMPORT_ROWS_MOST = 1_000_000
const PROBLEMS_TOLD = 20

export const IMPORT_REASONS = ['import_refused'] as const

export type ImportFailure =
  | CsvFailure
  | {
      readonly reason: (typeof IMPORT_REASONS)[number]
      readonly problems: readonly ImportProblem[]
      /** Of all that were found, these included. */
      readonly count: number
    }

/** `line`: in the file, from 1. */
export type ImportProblem = { readonly line: number; readonly message: string }

export type ImportKeys = {
  /** What a device is known by whose row gives a `device_key`. */
  readonly deviceKey: DeviceKeyKind
  readonly ringOf: (identity: Uint8Array) => number
}

/**
 * The rows of a CSV file, all of them checked: `device_id`, `device_key`, `ek_public_hash`,
 * `entra_device_id` or `serial` name the device, and `owner`, `name` and `labels` (with a semicolon between) say
 * something of it. An empty cell says nothing. Refused whole, with the first problems, if anything is wrong.
 */
export function readImport(
  text: string,
  keys: ImportKeys,
): Result<readonly RowToImport[], ImportFailure> {
  const records = parseCsv(text)
  if (!records.ok) return records
  const [head, ...rows] = records.value
  const problems = problemsOfHead(head?.cells ?? [])
  if (rows.length > IMPORT_ROWS_MOST)
    problems.push(`has more than ${IMPORT_ROWS_MOST} rows: split it`)
  if (problems.length > 0 || head === undefined) {
    return refuse(problems.map((message) => ({ line: 1, message })))
  }
  const names = head.cells.map(nameOfColumn)
  const found: ImportProblem[] = []
  const seen = new Map<string, number>()
  const read = rows.flatMap(({ line, cells }) => {
    const row = readRow({ line, cells, names }, keys)
    const problem = typeof row === 'string' ? row : repeats(row, seen)
    if (problem !== undefined) found.push({ line, message: problem })
    return typeof row === 'string' ? [] : [row]
  })
  return found.length > 0 ? refuse(found) : ok(read)
}

function refuse(found: readonly ImportProblem[]): Result<never, ImportFailure> {
  const problems = found.slice(0, PROBLEMS_TOLD)
  return err({ reason: 'import_refused', problems, count: found.length })
}

function nameOfColumn(cell: string): string {
  return cell.trim().toLowerCase()
}

function problemsOfHead(cells: readonly string[]): string[] {
  const names = cells.map(nameOfColumn)
  const [only = ''] = names
  if (names.length === 1 && only.includes(';')) {
    return ['the cells are to be separated by commas and not by semicolons']
  }
  const unknown = names.filter((name) => !COLUMNS.includes(name) && !EXPORTED.includes(name))
  const repeated = names.filter((name, at) => names.indexOf(name) < at)
  const isNaming = NAMING.some((name) => names.includes(name))
  return [
    ...unknown.map((name) => `there is no column '${name}', but: ${COLUMNS.join(', ')}`),
    ...repeated.map((name) => `the column '${name}' is there twice`),
    ...(isNaming ? [] : [`no column names the devices: ${NAMING.join(', ')}`]),
  ]
}

/** A row, or in words what is wrong with it. */
function readRow(
  row: {
    readonly line: number
    readonly cells: readonly string[]
    readonly names: readonly string[]
  },
  keys: ImportKeys,
): RowToImport | string {
  const { line, cells, names } = row
  if (cells.length !== names.length) {
    return `has ${cells.length} cells, and the first line ${names.length}`
  }
  const values = new Map(names.map((name, at) => [name, unguardCell(cells[at] ?? '').trim()]))
  if (![...values.values()].every(isStorableText)) return 'has text that cannot be kept'
  const said = (name: string) => values.get(name) || undefined
  const device = readReference(said, keys)
  if (typeof device === 'string') return device
  const labels = said('labels')
  const attributes = {
    owner: said('owner'),
    name: said('name'),
    ...(labels !== undefined && { labels: splitLabels(labels) }),
    ...('deviceId' in device && {
      entra_device_id: said('entra_device_id'),
      serial: said('serial'),
    }),
  }
  const problem = problemOfAttributes(attributes)
  return problem ?? { line, device, changes: attributesOf(attributes) }
}

function readReference(
  said: (name: string) => string | undefined,
  { deviceKey, ringOf }: ImportKeys,
): DeviceReference | string {
  const id = said('device_id')
  if (id !== undefined) {
    return isDeviceId(id)
      ? { deviceId: id }
      : `device_id: '${id.slice(0, 80)}' is no id of a device`
  }
  for (const name of ['device_key', 'ek_public_hash'] as const) {
    const text = said(name)
    if (text === undefined) continue
    const key = parseDeviceKey(text)
    if (key === undefined) return `${name}: must be the base64 of a SHA-256 (32 bytes)`
    const kind = name === 'device_key' ? deviceKey : 'tpm'
    return { deviceId: deviceIdOf(key), key: { kind, hash: toBase64Url(key), ring: ringOf(key) } }
  }
  const entraDeviceId = said('entra_device_id')
  if (entraDeviceId !== undefined) return { entraDeviceId }
  const serial = said('serial')
  return serial === undefined ? `names no device: ${NAMING.join(', ')}` : { serial }
}

function repeats({ line, device }: RowToImport, seen: Map<string, number>): string | undefined {
  const [name] = Object.values(device)
  const key = String(name).toLowerCase()
  const before = seen.get(key)
  seen.set(key, before ?? line)
  return before === undefined ? undefined : `is about the device of line ${before} again`
}

/** A label that has a semicolon or a backslash is written with a backslash before it. */
export function joinLabels(labels: readonly string[]): string {
  return labels.map((label) => label.replace(/[\\;]/g, '\\$&')).join(';')
}

/** The labels of such a text, each once. */
export function splitLabels(text: string): string[] {
  const labels = text.match(/(?:\\.|[^;\\])+/gs) ?? []
  const read = labels.map((label) => label.replace(/\\(.)/gs, '$1').trim())
  return [...new Set(read)].filter((label) => label !== '')
}
