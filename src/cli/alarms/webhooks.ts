import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import type { Config } from '../../config/config.ts'
import { openWebhookSecrets, sealWebhookSecrets, webhookKeys } from '../../keys/webhook-secrets.ts'
import {
  createWebhook,
  MAX_WEBHOOK_OVERLAP_MS,
  rotateWebhook,
  type WebhookDependencies,
} from '../../operations/alerts/manage-webhooks.ts'
import {
  listWebhooks,
  removeWebhook,
  testWebhook,
  type Webhook,
} from '../../operations/alerts/steer-webhook.ts'
import { newStreamId } from '../../operations/signals/stream-id.ts'
import type { Store } from '../../store/store.ts'
import { showWebhook } from '../../views/show-alarm.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { type Confirm, confirmer } from '../framework/confirm.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import {
  option,
  preset,
  readDuration,
  repeated,
  required,
  text,
  YES,
} from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'
import { readSecrets } from '../keys/key-making.ts'
import { readName, readUrl } from './read-names.ts'

const WEBHOOK = required(
  text('WEBHOOK_ID', 'the destination: str_…'),
  `${COMMAND} alarms webhooks list shows them`,
)

/** Destinations of alarms. */
export const webhooks = group({
  about: `Each destination has a secret, whsec_…, that signs what is posted to it (Standard Webhooks).
What could not be delivered is tried again, and what was refused is kept:
${COMMAND} streams dead WEBHOOK_ID.
A host on a private network has to stand in PUSH_PRIVATE_HOSTS of the service.`,
  verbs: {
    list: verb({
      summary: 'list the destinations, and how deliveries go',
      database: 'existing',
      json: 'the destinations without their secrets, as the administration API shows them',
      run: (values) => (store) => list(store, values),
    }),
    add: verb({
      summary: 'add a destination and print its secret, which is not shown again',
      about: 'Needs the SECRET_KEY of the service.',
      database: 'existing',
      arguments: {
        url: required(option('URL', 'where alarms are posted: https://…', readUrl), 'https://…'),
      },
      options: {
        alarm: repeated(option('NAME', 'only this alarm; without one, all', readName)),
        description: text('TEXT', 'for people'),
      },
      json: 'the id of the destination, and its secret',
      exits: { refused: 'there are too many destinations' },
      run: (values) => (store, config) => add(store, config, values),
    }),
    rotate: verb({
      summary: 'give a destination another secret and print it; the old one signs too for a while',
      about: 'Needs the SECRET_KEY of the service.',
      database: 'existing',
      arguments: { id: WEBHOOK },
      options: {
        overlap: preset(
          option('TIME', 'how long the old secret signs too, at most 30d', readOverlap),
          '24h',
        ),
      },
      json: 'the id of the destination, its secret, and until when the old one signs too',
      exits: { refused: 'somebody else has just changed the destination' },
      run: (values) => (store, config) => rotate(store, config, values),
    }),
    test: verb({
      summary: 'have a test posted to a destination',
      database: 'existing',
      arguments: { id: WEBHOOK },
      json: 'the id of the destination',
      run: (values) => (store) => test(store, values),
    }),
    remove: verb({
      summary: 'end a destination, with all that waits for it',
      database: 'existing',
      arguments: { id: WEBHOOK },
      options: { yes: YES },
      json: 'the id of the destination',
      exits: { refused: 'you said no' },
      run({ id, yes, json }) {
        const confirm = confirmer({ json, yes })
        return (store) => remove(store, { id, confirm, json })
      },
    }),
  },
})

const clock = () => new Date()

function readOverlap(given: string, label: string): number {
  const ms = readDuration(given, label)
  if (ms > MAX_WEBHOOK_OVERLAP_MS) throw new UsageError(`${label} is 30d at most, not '${given}'`)
  return ms
}

async function list(store: Store, { json }: { readonly json: boolean }): Promise<number> {
  const found = await listWebhooks(store)
  if (json) printJson(found.map(showWebhook))
  else if (found.length === 0) {
    printText(
      `Nobody is told of alarms. To add a destination: ${COMMAND} alarms webhooks add URL\n`,
    )
  } else printText(`${describe(found)}\n`)
  return EXIT.done
}

function describe(found: readonly Webhook[]): string {
  const rows = found.map(({ stream, url, waiting, refused }) => [
    stream.streamId,
    new URL(url).host,
    stream.eventsRequested.length === 0 ? 'all' : stream.eventsRequested.join(' '),
    stream.failing === null ? stream.status : `failing: ${stream.failing.failure}`,
    String(waiting),
    String(refused),
    stream.deliveredAt?.toISOString() ?? '',
  ])
  const head = ['webhook', 'to', 'alarms', 'state', 'waiting', 'refused', 'last arrived']
  return renderTable(head, rows)
}

/** What makes secrets: those of the service have to open what is there. */
async function making(store: Store, config: Config): Promise<WebhookDependencies> {
  const keys = webhookKeys(await readSecrets(config))
  const random = createRandomSource()
  return {
    ...{ store, random, clock, newStreamId: () => newStreamId(random) },
    webhookSecrets: {
      seal: (secrets, id) => sealWebhookSecrets(keys, secrets, id),
      open: (sealed, id) => openWebhookSecrets(keys, sealed, id),
    },
  }
}

async function add(
  store: Store,
  config: Config,
  asked: {
    readonly url: string
    readonly alarm: readonly Parameters<typeof createWebhook>[1]['alarms'][number][]
    readonly description: string | undefined
    readonly json: boolean
  },
): Promise<number> {
  const { url, alarm: alarms, description = null, json } = asked
  const webhook = { url, alarms, description, by: COMMAND_LINE }
  const created = await createWebhook(await making(store, config), webhook)
  if (!created.ok) {
    process.stderr.write(
      `There are too many destinations: remove one (${COMMAND} alarms webhooks list).\n`,
    )
    return EXIT.refused
  }
  const { streamId, secret } = created.value
  if (json) printJson({ webhook_id: streamId, secret })
  else {
    printText(`Webhook  ${streamId}
Secret   ${secret}

The secret is not shown again. To try it: ${COMMAND} alarms webhooks test ${streamId}\n`)
  }
  return EXIT.done
}

async function rotate(
  store: Store,
  config: Config,
  { id, overlap, json }: { readonly id: string; readonly overlap: number; readonly json: boolean },
): Promise<number> {
  const change = { streamId: id, overlapMs: overlap, by: COMMAND_LINE }
  const rotated = await rotateWebhook(await making(store, config), change)
  if (!rotated.ok) {
    if (rotated.failure.reason !== 'webhook_changed_meanwhile') throw notFound(id)
    process.stderr.write('Somebody else has just changed it: nothing was changed now.\n')
    return EXIT.refused
  }
  const { secret, previousUntil } = rotated.value
  if (json) printJson({ webhook_id: id, secret, previous_until: previousUntil })
  else {
    const old =
      overlap === 0
        ? 'The old one has ended.'
        : `The old one signs too until ${previousUntil.toISOString()}.`
    printText(`Webhook  ${id}\nSecret   ${secret}\n\nThe secret is not shown again. ${old}\n`)
  }
  return EXIT.done
}

async function test(
  store: Store,
  { id, json }: { readonly id: string; readonly json: boolean },
): Promise<number> {
  const tested = await testWebhook({ store, clock }, id)
  if (!tested.ok) throw notFound(id)
  if (json) printJson({ webhook_id: id })
  else {
    printText(`Posted as soon as the service comes by.
Whether it arrives: ${COMMAND} alarms webhooks list
What was refused:   ${COMMAND} streams dead ${id}\n`)
  }
  return EXIT.done
}

async function remove(
  store: Store,
  { id, confirm, json }: { readonly id: string; readonly confirm: Confirm; readonly json: boolean },
): Promise<number> {
  if (!(await confirm(`End ${id}, with all that waits for it?`))) {
    process.stderr.write('Nothing was changed.\n')
    return EXIT.refused
  }
  const removed = await removeWebhook({ store, clock }, { streamId: id, by: COMMAND_LINE })
  if (!removed.ok) throw notFound(id)
  if (json) printJson({ webhook_id: id })
  else printText(`${id} has ended.\n`)
  return EXIT.done
}

function notFound(id: string): Error {
  return new Error(`there is no destination ${id}: ${COMMAND} alarms webhooks list`)
}
