import { formatCsvRecord } from '../base/csv.ts'
import type { AssessedDevice } from '../operations/devices/assess-device.ts'
import { joinLabels } from '../operations/devices/read-import.ts'
import { describeOverride, describeRelief, describeUnmet } from './describe-device.ts'
import { showSummary } from './show-device.ts'

/** How devices are written into a file: comma-separated values, or one JSON document a line. */
export const EXPORT_FORMATS = ['csv', 'jsonl'] as const

export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** The columns of an export as CSV, in their order; the first ones are those that an import reads. */
const COLUMNS: Readonly<Record<string, (device: AssessedDevice) => string>> = {
  device_id: ({ record }) => record.deviceId,
  entra_device_id: ({ record }) => record.entraDeviceId ?? '',
  serial: ({ about }) => about.serial ?? '',
  owner: ({ record }) => record.owner ?? '',
  name: ({ about }) => about.name ?? '',
  labels: ({ record }) => joinLabels(record.labels),
  verdict: ({ verdict }) => verdict,
  reasons: ({ reasons }) =>
    reasons.map((one) => ('clause' in one ? `${one.code} ${one.clause}` : one.code)).join('; '),
  unmet: ({ unmet }) => unmet.map(describeUnmet).join('; '),
  relief: ({ relief }) => relief.map(describeRelief).join('; '),
  overrides: ({ overrides }) => overrides.map(describeOverride).join('; '),
  enrolment: ({ record }) => record.enrolment,
  quarantined_at: ({ record }) => timeOf(record.quarantine?.at),
  issuer: ({ record }) => record.attestation?.issuer ?? '',
  attested_at: ({ record }) => timeOf(record.attestation?.attestedAt),
  valid_until: ({ record }) => timeOf(record.attestation?.validUntil),
  ring: ({ record }) => String(record.ring),
  created_at: ({ record }) => timeOf(record.createdAt),
}

function timeOf(time: Date | undefined): string {
  return time?.toISOString() ?? ''
}

/**
 * What an export begins with, and the line of each device. Cells of CSV that a spreadsheet would compute are led by an
 * apostrophe (`formatCsvRecord`).
 */
export const EXPORTS: Readonly<
  Record<ExportFormat, { readonly head: string; readonly line: (device: AssessedDevice) => string }>
> = {
  csv: {
    head: formatCsvRecord(Object.keys(COLUMNS)),
    line: (device) => formatCsvRecord(Object.values(COLUMNS).map((cell) => cell(device))),
  },
  jsonl: { head: '', line: (device) => `${JSON.stringify(showSummary(device))}\n` },
}
