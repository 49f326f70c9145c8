import { html } from 'hono/html'
import type { Overview, VerifierState } from '../../../operations/overview/read-overview.ts'
import { nameOfTarget, STATE } from '../../../signals/state-target.ts'
import { PUSH } from '../../../signals/stream.ts'
import type { StoredStream } from '../../../store/signals/streams.ts'
import { agoTag, type Content, count, panel, table } from '../parts.ts'

/** Who vouches for devices, and whether they answer. */
export function verifiersPanel({ verifiers }: Overview): Content {
  return panel(
    'verifiers',
    'Verifiers',
    table({
      caption: 'Verifiers',
      columns: [{ title: 'Verifier' }, { title: 'State' }],
      rows: verifiers.map((one) => [html`<code>${one.name}</code>`, stateOf(one)]),
    }),
  )
}

function stateOf({ answers, health }: VerifierState): Content {
  if (health.state === 'suspected') return html`<span class="v untrusted">seems to be out</span>`
  return answers
    ? html`<span class="v trusted">answers</span>`
    : html`<span class="v stale">did not answer last</span>`
}

/** Counted to here and no further, as the store does. */
const COUNTED_MOST = 10_000

/** Who is told of changes, and what waits for them. */
export function streamsPanel({ streams, moreStreams, now }: Overview): Content {
  if (streams.length === 0) {
    return panel('streams', 'Streams of events', html`<p>Nobody is told of changes yet.</p>`)
  }
  const most = (many: number) => (many > COUNTED_MOST ? `over ${count(COUNTED_MOST)}` : count(many))
  const body = table({
    caption: 'Streams of events',
    columns: [
      ...[{ title: 'To' }, { title: 'State' }],
      ...[
        { title: 'Waiting', isNumber: true },
        { title: 'Refused', isNumber: true },
      ],
      { title: 'Last arrived' },
    ],
    rows: streams.map(({ stream, waiting, refused }) => [
      placeOf(stream),
      streamState(stream),
      most(waiting),
      most(refused),
      stream.deliveredAt === null ? 'nothing yet' : agoTag(stream.deliveredAt, now),
    ]),
  })
  const more = moreStreams === 0 ? '' : html`<p class="dim">And ${count(moreStreams)} more.</p>`
  return panel('streams', 'Streams of events', html`${body}${more}`)
}

function streamState({ failing, status }: StoredStream): Content {
  if (failing !== null) return html`<span class="v untrusted">failing</span>`
  return status === 'enabled'
    ? html`<span class="v trusted">enabled</span>`
    : html`<span class="v stale">${status}</span>`
}

function placeOf({ delivery, streamId }: StoredStream): Content {
  if (delivery.method === STATE) return html`${nameOfTarget(delivery.target)}`
  return delivery.method === PUSH
    ? html`<span class="id">${delivery.url}</span>`
    : html`polled <span class="id">${streamId}</span>`
}
