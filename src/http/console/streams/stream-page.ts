import { html } from 'hono/html'
import { PUSH } from '../../../signals/stream.ts'
import type { DeliveryName } from '../../../store/signals/due-deliveries.ts'
import type { RefusedDelivery } from '../../../store/signals/refused-deliveries.ts'
import { rankedBars } from '../charts/ranked-bars.ts'
import { actForm, reasonField } from '../fields.ts'
import type { Page, Viewer } from '../layout.ts'
import {
  agoTag,
  type Content,
  codeTag,
  deviceLink,
  facts,
  panel,
  table,
  timeTag,
} from '../parts.ts'
import {
  type CountedStream,
  mostCount,
  placeOf,
  STREAMS_PATH,
  stateTag,
  streamPath,
} from './page.ts'

export type ShownStream = CountedStream & {
  /** Some of those that are kept, refused ones too. */
  readonly kept: readonly DeliveryName[]
  /** The oldest ones. */
  readonly dead: readonly RefusedDelivery[]
}

/** One stream: where it leads, what waits in which lanes, what its receiver refused, and what may be done. */
export function streamPage(shown: ShownStream, viewer: Viewer, now: Date): Page {
  const { stream } = shown
  const mayChange = viewer.may('admin.write')
  return {
    title: placeOf(stream),
    section: 'streams',
    aside: html`<p>${stateTag(stream)}</p>`,
    body: html`${failing(shown, now)}<div class="cols">${factsPanel(shown, now)}${mayChange ? actionsPanel(shown) : ''}${lanesPanel(shown)}${deadPanel(shown, { mayChange, now })}</div>`,
  }
}

function failing({ stream }: ShownStream, now: Date): Content {
  if (stream.failing === null || stream.status !== 'enabled') return html``
  const { since, failure, retryAt } = stream.failing
  return html`<div class="alarm" role="status"><p><strong>It has been failing since ${timeTag(since)}.</strong> ${failure}</p>
<p>The next try is ${agoTag(retryAt, now)}. What waits is kept meanwhile: mend at the receiver what it says.</p></div>`
}

function factsPanel({ stream, waiting, refused }: ShownStream, now: Date): Content {
  const { streamId, clientId, audience, eventsDelivered, subjectForm, delivery } = stream
  const body = facts({
    Stream: codeTag(streamId),
    Client: codeTag(clientId),
    Audience: audience,
    To: delivery.method === PUSH ? codeTag(delivery.url) : placeOf(stream),
    Events:
      eventsDelivered.length === 0
        ? 'none: its receiver asked for none that we send'
        : eventsDelivered.join(', '),
    Subjects: subjectForm,
    Description: stream.description ?? undefined,
    State: html`${stateTag(stream)}${stream.reason === null ? '' : html` ${stream.reason}`}`,
    Waiting: mostCount(waiting),
    Refused: mostCount(refused),
    Made: timeTag(stream.createdAt),
    'Last arrived': stream.deliveredAt === null ? 'nothing yet' : agoTag(stream.deliveredAt, now),
  })
  return panel('facts', 'What is known of it', body)
}

const TRIED = {
  pause: 'Events are kept until it is enabled again.',
  enable: 'What waits goes out, and what comes from now on.',
  disable: 'Events are not kept any more, and those that wait are dropped.',
} as const

function actionsPanel({ stream, refused }: ShownStream): Content {
  const path = streamPath(stream.streamId)
  const status = (verb: keyof typeof TRIED, title: string) =>
    actForm({
      title,
      hint: TRIED[verb],
      action: `${path}/${verb}`,
      fields: reasonField(`reason-${verb}`),
      isDangerous: verb === 'disable',
    })
  const test = actForm({
    title: 'Send a test',
    hint: 'One event of each type that it carries, about a device that there is not and said to be a test.',
    action: `${path}/test`,
    fields: html``,
  })
  const replay = actForm({
    title: 'Replay all that was refused',
    hint: 'They are sent again. What is refused once more stays here.',
    action: `${path}/replay`,
    fields: html`<input type="hidden" name="position" value="all">`,
  })
  const isEnabled = stream.status === 'enabled'
  const forms = html`${stream.eventsDelivered.length === 0 ? '' : test}${refused === 0 ? '' : replay}${isEnabled ? '' : status('enable', 'Enable')}${isEnabled ? status('pause', 'Pause') : ''}${stream.status === 'disabled' ? '' : status('disable', 'Disable')}`
  return panel('actions', 'Actions', forms)
}

const MOST_LANES = 20

/** A lane is a device: what comes later in it waits for what came before. */
function lanesPanel({ kept, dead, waiting, stream }: ShownStream): Content {
  const refused = new Set(dead.map(({ deviceId, position }) => `${deviceId} ${position}`))
  const lanes = new Map<string, number>()
  for (const { deviceId, position } of kept) {
    if (refused.has(`${deviceId} ${position}`)) continue
    lanes.set(deviceId, (lanes.get(deviceId) ?? 0) + 1)
  }
  const ranked = [...lanes].toSorted(([, a], [, b]) => b - a).slice(0, MOST_LANES)
  const body =
    ranked.length === 0
      ? html`<p>${waiting === 0 ? 'Nothing waits.' : 'What waits lies behind what was refused.'}</p>`
      : html`<p>In one lane each event waits for the one before it; lanes go on side by side.${kept.length < waiting ? ' These are some of those that wait.' : ''}</p>${rankedBars(
          {
            caption: 'Events that wait, by lane',
            columns: ['Lane', 'What', 'Waiting'],
            bars: ranked.map(([lane, value]) => ({
              label: lane === stream.streamId ? 'the stream itself' : deviceLink(lane),
              note: lane === stream.streamId ? 'tests and changes of the stream' : 'a device',
              tone: 'stale',
              value,
            })),
          },
        )}`
  return panel('lanes', 'Lanes', body)
}

/** What the receiver refused, each with its cause and a way to send it again. */
function deadPanel(
  { dead, refused, stream }: ShownStream,
  { mayChange, now }: { readonly mayChange: boolean; readonly now: Date },
): Content {
  if (dead.length === 0)
    return panel('dead', 'Refused events', html`<p>Its receiver has refused nothing.</p>`)
  const replay = ({ position }: RefusedDelivery) =>
    html`<form method="post" action="${streamPath(stream.streamId)}/replay"><input type="hidden" name="position" value="${position}"><button type="submit" aria-label="Replay event ${position}">Replay</button></form>`
  const list = table({
    caption: 'Refused events, the oldest first',
    columns: [
      ...[{ title: 'Event' }, { title: 'Device' }, { title: 'Became' }],
      ...[{ title: 'Refused' }, { title: 'Because' }],
      ...(mayChange ? [{ title: 'Again' }] : []),
    ],
    rows: dead.map((one) => [
      one.position,
      one.deviceId === stream.streamId ? 'the stream itself' : deviceLink(one.deviceId),
      becameText(one),
      agoTag(one.refusedAt, now),
      html`<div class="wraps">${one.failure ?? ''}</div>`,
      ...(mayChange ? [replay(one)] : []),
    ]),
  })
  const more =
    refused > dead.length
      ? html`<p class="dim">The first ${dead.length} of ${mostCount(refused)}.</p>`
      : ''
  return panel('dead', 'Refused events', html`${list}${more}`, true)
}

function becameText({ type, payload }: RefusedDelivery): string {
  const { currentVerdict } = Object(payload)
  return typeof currentVerdict === 'string' ? currentVerdict : type
}

export function unknownStreamPage(streamId: string): Page {
  return {
    status: 404,
    title: 'No such stream',
    section: 'streams',
    body: html`<p>There is no stream ${codeTag(streamId.slice(0, 80))}.</p><p><a href="${STREAMS_PATH}">All streams</a></p>`,
  }
}
