import type { UnmetClause } from '../../access/unmet.ts'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { Config } from '../../config/config.ts'
import type { AssessedDevice } from '../../operations/devices/assess-device.ts'
import type { DeviceSearch } from '../../operations/devices/find-devices.ts'
import { type GroupedCounts, groupFleet } from '../../operations/devices/group-devices.ts'
import type { DeviceGroup } from '../../store/devices/device-reads.ts'
import type { Store } from '../../store/store.ts'
import { describeVerdict, describeWhy } from '../../views/describe-device.ts'
import { showSummary } from '../../views/show-device.ts'
import { EXIT } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress } from '../framework/progress.ts'
import { listenForStop } from '../framework/signals.ts'
import { renderTable } from '../framework/table.ts'
import { deviceFinder } from './filters.ts'
import { walkDevices } from './walk.ts'

type Asked = {
  readonly search: DeviceSearch
  readonly limit: number
  readonly groupBy: DeviceGroup | undefined
  readonly json: boolean
}

/** Lists devices, or counts them by what they have in common. */
export async function listDevices(store: Store, config: Config, asked: Asked): Promise<number> {
  const { search, limit: most, groupBy, json } = asked
  if (groupBy !== undefined) return countDevices(store, config, { search, by: groupBy, json })
  const devices: AssessedDevice[] = []
  for await (const page of walkDevices(deviceFinder(store, config), search)) {
    devices.push(...page)
    if (devices.length > most) break
  }
  const shown = devices.slice(0, most)
  if (json) printJson(shown.map(showSummary))
  else printText(describeList(shown, { areMore: devices.length > most, search }))
  return EXIT.done
}

function describeList(
  devices: readonly AssessedDevice[],
  { areMore, search }: { readonly areMore: boolean; readonly search: DeviceSearch },
): string {
  if (devices.length === 0) {
    return 'No device matches. Devices appear with their first attestation.\n'
  }
  // What is only reported is in nobody's way: it is told to whoever asks for it.
  const isTold = ({ clause, severity }: UnmetClause) =>
    severity === 'enforce' || search.severity === 'report' || search.clause === clause
  const rows = devices.map((device) => [
    device.record.deviceId,
    device.about.name ?? '',
    describeVerdict(device),
    device.record.enrolment,
    device.record.owner ?? '',
    device.record.labels.join(' '),
    device.record.attestation?.attestedAt.toISOString() ?? 'never',
    describeWhy(device, isTold),
  ])
  const head = ['device', 'name', 'verdict', 'enrolment', 'owner', 'labels', 'attested', 'why']
  const more = areMore
    ? `\nThere are more than ${devices.length}: raise --limit, narrow it, or take them all: ${COMMAND} devices export\n`
    : ''
  return `${renderTable(head, rows)}\n${more}`
}

async function countDevices(
  store: Store,
  config: Config,
  asked: { readonly search: DeviceSearch; readonly by: DeviceGroup; readonly json: boolean },
): Promise<number> {
  const { search, by, json } = asked
  const progress = createProgress(process.stderr, () => new Date())
  try {
    const counted = await groupFleet(deviceFinder(store, config), {
      ...{ search, by, signal: listenForStop() },
      onProgress: (devices) => progress.show(`${count(devices)} devices counted`),
    })
    progress.end()
    if (json) printJson({ group_by: by, ...counted })
    else printText(describeCounts(counted, by))
    return EXIT.done
  } finally {
    progress.end()
  }
}

function describeCounts({ groups, devices }: GroupedCounts, by: DeviceGroup): string {
  const of = `Of ${plural(devices, 'device')}`
  if (groups.length === 0) {
    const none = {
      clause: 'each meets every clause',
      label: 'none has a label',
      issuer: 'none attested',
    }
    return `${of} ${none[by]}.\n`
  }
  const isClause = by === 'clause'
  const head = isClause ? ['clause', 'severity', 'not met by'] : [by, 'devices']
  const rows = groups.map(({ group, severity = '', devices: counted }) => [
    group,
    ...(isClause ? [severity] : []),
    count(counted),
  ])
  return `${of}:\n\n${renderTable(head, rows)}\n`
}
