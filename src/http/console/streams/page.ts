import { html } from 'hono/html'
import { nameOfTarget, STATE } from '../../../signals/state-target.ts'
import { PUSH } from '../../../signals/stream.ts'
import type { StoredStream } from '../../../store/signals/streams.ts'
import type { Page } from '../layout.ts'
import { agoTag, type Content, count, table } from '../parts.ts'

export const STREAMS_PATH = '/console/streams'

export function streamPath(streamId: string): string {
  return `${STREAMS_PATH}/${encodeURIComponent(streamId)}`
}

export type CountedStream = {
  readonly stream: StoredStream
  /** Counted to 10,001 and no further, both of them. */
  readonly waiting: number
  readonly refused: number
}

const COUNTED_MOST = 10_000

export function mostCount(many: number): string {
  return many > COUNTED_MOST ? `over ${count(COUNTED_MOST)}` : count(many)
}

/** Who is told of changes, and how deliveries go. */
export function streamsPage(streams: readonly CountedStream[], now: Date): Page {
  const page = { title: 'Streams of events', section: 'streams' }
  if (streams.length === 0) {
    const body = html`<p>Nobody is told of changes yet. Receivers make their streams over HTTP, as clients with the scope <code>ssf.manage</code>; for Okta, Entra and Google they are made by <code>npm run -s countersign -- streams</code>.</p>`
    return { ...page, body }
  }
  const body = table({
    caption: 'Streams, the oldest first',
    columns: [
      ...[{ title: 'Stream' }, { title: 'State' }, { title: 'Events' }],
      ...[
        { title: 'Waiting', isNumber: true },
        { title: 'Refused', isNumber: true },
      ],
      { title: 'Last arrived' },
    ],
    rows: streams.map(({ stream, waiting, refused }) => [
      html`<a href="${streamPath(stream.streamId)}">${placeOf(stream)}</a><br><small class="id">${stream.streamId}</small>`,
      html`${stateTag(stream)}${failureText(stream)}`,
      html`<div class="thin">${stream.eventsDelivered.join(', ')}</div>`,
      mostCount(waiting),
      mostCount(refused),
      stream.deliveredAt === null ? 'nothing yet' : agoTag(stream.deliveredAt, now),
    ]),
  })
  return { ...page, body }
}

export function stateTag({ failing, status }: StoredStream): Content {
  if (status !== 'enabled') return html`<span class="v stale">${status}</span>`
  return failing === null
    ? html`<span class="v trusted">enabled</span>`
    : html`<span class="v untrusted">failing</span>`
}

function failureText({ failing, status, reason }: StoredStream): Content {
  if (status === 'enabled' && failing !== null) return html`<br><small>${failing.failure}</small>`
  return reason === null ? html`` : html`<br><small>${reason}</small>`
}

export function placeOf({ delivery, audience }: StoredStream): string {
  if (delivery.method === STATE) return nameOfTarget(delivery.target)
  return delivery.method === PUSH ? delivery.url : `polled by ${audience}`
}
