import { isDeviceId } from '../../access/device-id.ts'
import { VERDICTS, type Verdict } from '../../access/trust-record.ts'
import { COMMAND } from '../../base/command.ts'
import { changeStanding, type StandingVerb } from '../../operations/devices/change-standing.ts'
import { type DeviceSummary, PAGE_ROWS_MOST } from '../../store/devices/device-reads.ts'
import type { Store } from '../../store/store.ts'
import { showSummary } from '../../views/show-device.ts'
import { EXIT, group, type Verb, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { limit, oneOf, option, REASON, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'
import { showDevice } from './show.ts'

const DEVICE = required(
  option('DEVICE_ID', 'the device: dev_…', readDeviceId),
  `${COMMAND} devices list shows them`,
)

export const command = group({
  about: 'Devices appear with their first attestation.',
  verbs: {
    list: verb({
      summary: 'list devices',
      database: 'existing',
      options: {
        search: text(
          'TEXT',
          'beginning of a device id or Entra device id, part of an owner, or a label',
        ),
        verdict: oneOf('VERDICT', VERDICTS.join(', '), VERDICTS),
        limit: limit(50),
      },
      json: 'the devices, as the administration API shows them',
      run: (values) => (store) => list(store, values),
    }),
    show: verb({
      summary: 'say what is known of a device, and what it has to do to be trusted',
      database: 'existing',
      arguments: { id: DEVICE },
      json: 'the device and its last attempts, as the administration API shows them',
      run:
        ({ id, json }) =>
        (store) =>
          showDevice(store, { id, json, now: new Date() }),
    }),
    quarantine: changing({
      summary: 'end trust in a device until it is released, whatever it attests',
      verb: 'quarantine',
      done: 'is quarantined',
    }),
    release: changing({
      summary: 'end the quarantine of a device',
      verb: 'release',
      done: 'is released',
    }),
    admit: changing({
      summary: "let in a device that waits, as new ones do while ENROLMENT is 'approval'",
      verb: 'admit',
      done: 'is admitted',
    }),
    'sign-out': changing({
      summary: 'end the device tokens of a device; it gets another when it attests',
      verb: 'sign-out',
      done: 'is signed out',
    }),
  },
})

type Change = {
  readonly summary: string
  readonly verb: StandingVerb
  readonly done: string
}

function changing({ summary, verb: standing, done }: Change): Verb {
  return verb({
    summary,
    database: 'existing',
    arguments: { id: DEVICE },
    options: { reason: REASON },
    json: 'the id of the device, and whether it was changed',
    run:
      ({ id, reason, json }) =>
      async (store) => {
        const now = new Date()
        const change = { deviceId: id, by: COMMAND_LINE, reason, now }
        const answer = await changeStanding(store, standing, change)
        if (!answer.ok) throw new Error(`there is no device ${id}: ${COMMAND} devices list`)
        const { changed } = answer.value
        if (json) printJson({ device_id: id, changed })
        else printText(`${id} ${done}${changed ? '' : ' already: nothing was changed'}.\n`)
        return EXIT.done
      },
  })
}

function readDeviceId(text: string, label: string): string {
  if (isDeviceId(text)) return text
  throw new UsageError(`${label}: '${text}' is no device id (${COMMAND} devices list shows them)`)
}

async function list(
  store: Store,
  options: {
    readonly search: string | undefined
    readonly verdict: Verdict | undefined
    readonly limit: number
    readonly json: boolean
  },
): Promise<number> {
  const { search, verdict, limit: most, json } = options
  const query = {
    now: new Date(),
    ...(search !== undefined && { search }),
    ...(verdict !== undefined && { verdict }),
  }
  const devices: DeviceSummary[] = []
  let cursor: string | null = null
  do {
    const from: { cursor?: string } = cursor === null ? {} : { cursor }
    const rows = Math.min(most - devices.length, PAGE_ROWS_MOST)
    const page = await store.listDevices({ ...query, ...from, limit: rows })
    devices.push(...page.devices)
    cursor = page.nextCursor
  } while (cursor !== null && devices.length < most)
  if (json) printJson(devices.map(showSummary))
  else printText(describeList(devices, cursor !== null))
  return EXIT.done
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
