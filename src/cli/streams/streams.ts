import { COMMAND } from '../../base/command.ts'
import {
  EXTENSION_ATTRIBUTES,
  type ExtensionAttribute,
  isGoogleClient,
} from '../../signals/state-target.ts'
import { STREAM_STATUSES } from '../../signals/stream.ts'
import { group, verb } from '../framework/command.ts'
import { confirmer } from '../framework/confirm.ts'
import { flag, limit, option, REASON, repeated, required, text, YES } from '../framework/options.ts'
import { UsageError } from '../framework/usage-error.ts'
import { ENTRA_GUIDE, GOOGLE_GUIDE } from './advise-failure.ts'
import { listRefused, replay } from './dead-letters.ts'
import { listStreams, showStream } from './list.ts'
import { addOkta } from './okta.ts'
import { addTarget, fill } from './states.ts'
import { remove, setStatus, test } from './steer.ts'

const STREAM = required(
  text('STREAM_ID', 'the stream: str_…'),
  `${COMMAND} streams list shows them`,
)

export const command = group({
  about: `Streams tell relying parties what becomes of devices (OpenID Shared Signals). Receivers make
theirs over HTTP, as clients with ssf.manage: see docs/signals.md.`,
  verbs: {
    list: verb({
      summary: 'list the streams, and how deliveries go',
      database: 'existing',
      json: 'the streams, each with what waits for it and what it refused',
      run: (values) => (store) => listStreams(store, values),
    }),
    show: verb({
      summary: 'show one stream',
      database: 'existing',
      arguments: { id: STREAM },
      json: 'the stream, with what waits for it and what it refused',
      run: (values) => (store) => showStream(store, values),
    }),
    okta: verb({
      summary: 'send events to an Okta organisation',
      about: `Okta makes no stream itself. Register PUBLIC_URL there first, as docs/signals.md says.
Needs the SECRET_KEY of the service.`,
      database: 'existing',
      arguments: {
        url: required(
          option('URL', 'the organisation: https://example.okta.com', readOrigin),
          'https://example.okta.com',
        ),
      },
      json: 'the id of the stream',
      exits: { refused: 'the organisation has a stream already' },
      run: (values) => (store, config) => addOkta(store, config, values),
    }),
    entra: verb({
      summary: 'write the state of devices into an attribute in Entra',
      about: `For the device filter of Conditional Access: compliant, or not-compliant. The service has to be let
in by AZURE_CREDENTIAL, with Device.ReadWrite.All of Microsoft Graph:
${ENTRA_GUIDE}.`,
      database: 'existing',
      arguments: {
        attribute: required(
          option('ATTRIBUTE', 'extensionAttribute1 to extensionAttribute15', readAttribute),
          'extensionAttribute1',
        ),
      },
      json: 'the id of the stream',
      exits: { refused: 'the attribute has a stream already' },
      run({ attribute, json }) {
        const target = { kind: 'entra', attribute } as const
        return (store) => addTarget(store, { target, guide: ENTRA_GUIDE, json })
      },
    }),
    google: verb({
      summary: 'write the state of devices into client states at Google',
      about: `For context-aware access. CLIENT is the id of your customer without its C, a hyphen and a name of
your choice. The service needs GOOGLE_SERVICE_ACCOUNT: ${GOOGLE_GUIDE}.`,
      database: 'existing',
      arguments: {
        client: required(
          option('CLIENT', 'customer and name: 01abc23d-countersign', readGoogleClient),
          '01abc23d-countersign',
        ),
      },
      json: 'the id of the stream',
      exits: { refused: 'the client has a stream already' },
      run({ client, json }) {
        const target = { kind: 'google', client } as const
        return (store) => addTarget(store, { target, guide: GOOGLE_GUIDE, json })
      },
    }),
    fill: verb({
      summary: 'write the state of all devices that there are, once',
      about:
        'For streams of states alone, after they were made. It waits where the stream is slower.',
      database: 'existing',
      arguments: { id: STREAM },
      json: 'the id of the stream, and how many devices were gone through',
      run: (values) => (store) => fill(store, values),
    }),
    test: verb({
      summary: 'send one event of each type, marked as a test',
      about: 'About a device that there is not. Its reasons say that it is a test.',
      database: 'existing',
      arguments: { id: STREAM },
      json: 'the id of the stream',
      run: (values) => (store) => test(store, values),
    }),
    status: verb({
      summary: 'enable, pause or disable a stream',
      about: `paused    events are kept until it is enabled again
disabled  events are not kept, and those that wait are dropped`,
      database: 'existing',
      arguments: {
        id: STREAM,
        status: required(
          option('STATUS', `${STREAM_STATUSES.join(', ')}`, readStatus),
          STREAM_STATUSES.join(', '),
        ),
      },
      options: { reason: REASON },
      json: 'the id of the stream, its status, and whether it was changed',
      run: (values) => (store) => setStatus(store, values),
    }),
    remove: verb({
      summary: 'end a stream, with all that waits for it',
      database: 'existing',
      arguments: { id: STREAM },
      options: { yes: YES },
      json: 'the id of the stream',
      exits: { refused: 'you said no' },
      run({ id, yes, json }) {
        const confirm = confirmer({ json, yes })
        return (store) => remove(store, { id, confirm, json })
      },
    }),
    dead: verb({
      summary: 'list events that the receiver refused, the first refused first',
      about: `They are kept until they are replayed, or the stream ends. Mend at the receiver what it says.`,
      database: 'existing',
      arguments: { id: STREAM },
      options: { limit: limit(20) },
      json: 'the refused events with their causes',
      run: (values) => (store) => listRefused(store, values),
    }),
    replay: verb({
      summary: 'have refused events sent again',
      database: 'existing',
      arguments: {
        id: STREAM,
        position: repeated(option('POSITION', "of 'streams dead'", readPosition)),
      },
      options: { all: flag('all that were refused so far') },
      json: 'the id of the stream, and how many events are sent again',
      run({ position, all, ...values }) {
        if (all === position.length > 0) throw new UsageError('say either --all or positions')
        return (store) => replay(store, { ...values, positions: all ? 'all' : position })
      },
    }),
  },
})

function readStatus(text: string, label: string) {
  const status = STREAM_STATUSES.find((one) => one === text)
  if (status === undefined)
    throw new UsageError(`${label} must be one of ${STREAM_STATUSES.join(', ')}`)
  return status
}

function readOrigin(text: string, label: string): string {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' || url.origin !== text.replace(/\/$/, '')) {
    throw new UsageError(`${label} must be like https://example.okta.com`)
  }
  return url.origin
}

function readGoogleClient(text: string, label: string): string {
  if (isGoogleClient(text)) return text
  throw new UsageError(`${label} must be like 01abc23d-countersign, of small letters and digits`)
}

function readAttribute(text: string, label: string): ExtensionAttribute {
  const attribute = EXTENSION_ATTRIBUTES.find((one) => one === text)
  if (attribute === undefined) {
    throw new UsageError(`${label} must be one of ${EXTENSION_ATTRIBUTES.join(', ')}`)
  }
  return attribute
}

function readPosition(text: string, label: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`${label} must be a number of 'streams dead'`)
  return Number(text)
}
