import { isDeviceId } from '../../access/device-id.ts'
import { COMMAND } from '../../base/command.ts'
import { problemOfAttributes } from '../../operations/devices/attributes.ts'
import { changeStanding, type StandingVerb } from '../../operations/devices/change-standing.ts'
import { IMPORT_BATCH_ROWS } from '../../operations/devices/import-devices.ts'
import { DEVICE_GROUPS } from '../../store/devices/device-reads.ts'
import { EXPORT_FORMATS } from '../../views/export-devices.ts'
import { EXIT, group, type Verb, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import {
  count,
  flag,
  limit,
  moment,
  oneOf,
  option,
  preset,
  REASON,
  repeated,
  required,
  text,
} from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { readTextFile } from '../framework/read-file.ts'
import { readSettings } from '../framework/settings.ts'
import { UsageError } from '../framework/usage-error.ts'
import { relabel, setAttribute } from './attributes.ts'
import { explainDevice } from './explain.ts'
import { exportDevices } from './export.ts'
import { FILTERS, searchOf } from './filters.ts'
import { findRefusal, SECRET_VARIABLE } from './find-refusal.ts'
import { importFile } from './import.ts'
import { listDevices } from './list.ts'
import { listRefused } from './refused.ts'
import { showDevice } from './show.ts'

const DEVICE = required(
  option('DEVICE_ID', 'the device: dev_…', readDeviceId),
  `${COMMAND} devices list shows them`,
)

export const command = group({
  about: 'Devices appear with their first attestation.',
  verbs: {
    list: verb({
      summary: 'list devices, or count them by clause, label or verifier',
      about: `Devices are found by what was recorded of them: as they attested, or by the sweep of the service,
which comes to every device again and again. Each is shown as a decision would find it now.`,
      database: 'existing',
      options: {
        ...FILTERS,
        groupBy: oneOf(
          'WHAT',
          'count them by clause (that they do not meet), label or issuer',
          DEVICE_GROUPS,
        ),
        limit: limit(50),
      },
      json: 'the devices, or the counts, as the administration API shows them',
      exits: { interrupted: 'stopped before the end of the fleet' },
      run:
        ({ limit, groupBy, json, data: _, ...filters }) =>
        (store, config) =>
          listDevices(store, config, { search: searchOf(filters), limit, groupBy, json }),
    }),
    export: verb({
      summary: 'write all devices, or those that are looked for, as CSV or JSON lines',
      about: `Goes to standard output while the fleet is read, however large it is. CSV is that of RFC 4180; a
cell that a spreadsheet would compute is led by an apostrophe. The first columns are those that
devices import reads.`,
      database: 'existing',
      options: {
        ...FILTERS,
        format: preset(oneOf('FORMAT', 'csv or jsonl', EXPORT_FORMATS), 'csv'),
      },
      json: { none: 'it writes CSV, or a JSON document a line with --format jsonl' },
      exits: { interrupted: 'stopped before the end of the fleet' },
      stopped: 'What was written is not all.',
      run:
        ({ format, json: _, data: __, ...filters }) =>
        (store, config) =>
          exportDevices(store, config, { search: searchOf(filters), format }),
    }),
    show: verb({
      summary: 'say what is known of a device, and what it has to do to be trusted',
      database: 'existing',
      arguments: { id: DEVICE },
      json: 'the device and its last attempts, as the administration API shows them',
      run:
        ({ id, json }) =>
        (store, config) =>
          showDevice(store, config, { id, json, now: new Date() }),
    }),
    explain: verb({
      summary: 'say why a device is granted or denied, clause by clause',
      about: `What each clause asks and what it read, when that was measured, and what repairs it. It is decided
by the code of every decision, and nothing is written.`,
      database: 'existing',
      arguments: { id: DEVICE },
      json: 'the decision with what every clause said',
      exits: { refused: 'it is denied' },
      run:
        ({ id, json }) =>
        (store, config) =>
          explainDevice(store, config, { id, json, now: new Date() }),
    }),
    refused: verb({
      summary: 'list refused attempts of whichever device, the newest first',
      about: `Among them are those of devices whose first attestation was refused. Of devices that nobody knows
or vouches for the newest hundred of a week are kept.

With --request a running service is asked what it refused under that X-Request-ID, which anybody may
have sent and which is in no database. Each process of the service remembers its own.`,
      database: 'existing',
      options: {
        since: moment('TIME', 'since when, or so long ago (7d)'),
        limit: count('N', 'list at most so many (50)', { least: 1, most: 200 }),
        request: text('ID', 'ask the service about this request instead'),
        url: text('URL', 'where the service is, with --request (PUBLIC_URL)'),
        client: text('ID', `an API client with admin.read; its secret is in ${SECRET_VARIABLE}`),
      },
      json: 'the attempts, as the administration API shows them',
      async run({ request: requestId, url, client, ...values }) {
        const { since = daysAgo(7), limit = 50, json } = values
        if (requestId === undefined) {
          if (url !== undefined || client !== undefined) {
            throw new UsageError('--url and --client go with --request alone')
          }
          return (store) => listRefused(store, { since, limit, json })
        }
        if (values.since !== undefined || values.limit !== undefined) {
          throw new UsageError('--since and --limit do not go with --request')
        }
        const service = url?.replace(/\/+$/, '') ?? (await readSettings(values)).publicUrl
        return findRefusal({ requestId, url: service, client, json })
      },
    }),
    label: verb({
      summary: 'add labels to devices, or take them away',
      database: 'existing',
      arguments: { ids: repeated(DEVICE) },
      options: {
        add: repeated(text('LABEL', 'a label to add')),
        remove: repeated(text('LABEL', 'a label to take away')),
      },
      json: 'of each device its id, its labels and whether it was changed',
      run: ({ ids, add, remove, json }) => {
        if (add.length + remove.length === 0)
          throw new UsageError('say --add LABEL or --remove LABEL')
        return (store) => relabel(store, { ids, add, remove, json })
      },
    }),
    owner: verb({
      summary: 'say whom devices belong to',
      database: 'existing',
      arguments: { ids: repeated(DEVICE) },
      options: {
        set: text('OWNER', 'the owner'),
        clear: flag('say that nobody is known to own them'),
      },
      json: 'of each device its id and whether it was changed',
      run: ({ ids, set, clear, json }) => {
        if ((set === undefined) !== clear) throw new UsageError('say --set OWNER or --clear')
        const problem = problemOfAttributes({ owner: set })
        if (problem !== undefined) throw new UsageError(problem)
        const done = set === undefined ? 'has no owner' : `belongs to ${set}`
        return (store) => setAttribute(store, { ids, changes: { owner: set ?? null }, done, json })
      },
    }),
    import: verb({
      summary: 'set owners, labels and names of many devices from a CSV file',
      about: `The first line names the columns. device_id, device_key (base64 of its SHA-256), ek_public_hash,
entra_device_id or serial say which device, the first of them that is filled in; owner, name and
labels (a semicolon between two) say what is set. An empty cell changes nothing. A device that is
named by its key is put on the list if nobody knows it. The whole file is checked before anything is
written. Rows are written by ${IMPORT_BATCH_ROWS}, all of them or none; importing the same file again changes
nothing.`,
      database: 'existing',
      arguments: { file: required(text('FILE', 'the CSV file')) },
      json: 'how many devices were changed, put on the list or left, and the rows that were refused',
      exits: {
        refused: 'rows name devices that nobody knows, or several; theirs were left out',
        interrupted: 'stopped before the end of the file',
      },
      stopped: 'The batches before it are done; import the file again for the rest.',
      run: ({ file, json }) => {
        const text = readTextFile(file)
        return (store, config) => importFile(store, config, { path: file, text, json })
      },
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

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 86_400_000)
}

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
