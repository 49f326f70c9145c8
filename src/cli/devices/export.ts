import { formatCsvRecord } from '../../base/csv.ts'
import type { Config } from '../../config/config.ts'
import type { AssessedDevice } from '../../operations/devices/assess-device.ts'
import type { DeviceSearch } from '../../operations/devices/find-devices.ts'
import { joinLabels } from '../../operations/devices/read-import.ts'
import type { Store } from '../../store/store.ts'
import { showSummary } from '../../views/show-device.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { writeOut } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { describeOverride, describeRelief, describeUnmet } from './describe-device.ts'
import { deviceFinder } from './filters.ts'
import { walkDevices } from './walk.ts'

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const

type Format = (typeof EXPORT_FORMATS)[number]

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

const FORMATS: Readonly<
  Record<Format, { readonly head: string; readonly line: (device: AssessedDevice) => string }>
> = {
  csv: {
    head: formatCsvRecord(Object.keys(COLUMNS)),
    line: (device) => formatCsvRecord(Object.values(COLUMNS).map((cell) => cell(device))),
  },
  jsonl: { head: '', line: (device) => `${JSON.stringify(showSummary(device))}\n` },
}

/** Writes devices to standard output while they are read, no faster than it takes them. */
export async function exportDevices(
  store: Store,
  config: Config,
  asked: { readonly search: DeviceSearch; readonly format: Format },
): Promise<number> {
  const { head, line } = FORMATS[asked.format]
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
