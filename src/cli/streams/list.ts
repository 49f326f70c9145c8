import { COMMAND } from '../../base/command.ts'
import { nameOfTarget, STATE } from '../../signals/state-target.ts'
import { PUSH } from '../../signals/stream.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printable, printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'
import { adviseFailure } from './advise-failure.ts'

type Listed = { readonly stream: StoredStream; readonly waiting: number; readonly refused: number }

export async function listStreams(
  store: Store,
  { json }: { readonly json: boolean },
): Promise<number> {
  const streams = await Promise.all((await store.listStreams()).map((one) => count(store, one)))
  if (json) printJson(streams.map(show))
  else if (streams.length === 0) {
    printText(`There are no streams. Receivers make them; an Okta organisation gets one by
${COMMAND} streams okta URL\n`)
  } else printText(`${describe(streams)}\n`)
  return EXIT.done
}

export async function showStream(
  store: Store,
  { id, json }: { readonly id: string; readonly json: boolean },
): Promise<number> {
  const listed = await count(store, await findStream(store, id))
  if (json) printJson(show(listed))
  else printText(`${describeOne(listed)}\n`)
  return EXIT.done
}

export async function findStream(store: Store, id: string): Promise<StoredStream> {
  const stream = (await store.listStreams()).find(({ streamId }) => streamId === id)
  if (stream === undefined) throw notFound(id)
  return stream
}

export function notFound(id: string): Error {
  return new Error(`there is no stream ${id}: ${COMMAND} streams list`)
}

async function count(store: Store, stream: StoredStream): Promise<Listed> {
  return { stream, ...(await store.countDeliveries(stream.streamId)) }
}

function show({ stream, waiting, refused }: Listed) {
  const { delivery, failing } = stream
  return {
    stream_id: stream.streamId,
    client_id: stream.clientId,
    audience: stream.audience,
    delivery: {
      method: delivery.method,
      ...(delivery.method === PUSH && { endpoint_url: delivery.url }),
      ...(delivery.method === STATE && { target: nameOfTarget(delivery.target) }),
    },
    events_delivered: stream.eventsDelivered,
    subject_form: stream.subjectForm,
    description: stream.description,
    status: stream.status,
    reason: stream.reason,
    created_at: stream.createdAt,
    delivered_at: stream.deliveredAt,
    failing_since: failing?.since ?? null,
    failure: failing?.failure ?? null,
    advice: failing === null ? null : adviseFailure(stream, failing.failure),
    waiting,
    refused,
  }
}

function describe(streams: readonly Listed[]): string {
  const rows = streams.map(({ stream, waiting, refused }) => [
    stream.streamId,
    placeOf(stream),
    stream.failing === null ? stream.status : `failing: ${stream.failing.failure}`,
    countOf(waiting),
    countOf(refused),
    stream.deliveredAt?.toISOString() ?? '',
  ])
  return renderTable(['stream', 'to', 'state', 'waiting', 'refused', 'last arrived'], rows)
}

function describeOne(listed: Listed): string {
  const { stream, waiting, refused } = listed
  const { failing, reason } = stream
  const lines: readonly (readonly [string, string])[] = [
    ['Stream', stream.streamId],
    ['Client', stream.clientId],
    ['To', placeOf(stream)],
    ['Audience', stream.audience],
    ['Events', stream.eventsDelivered.join(', ')],
    ['Subjects', stream.subjectForm],
    ['State', `${stream.status}${reason === null ? '' : `: ${reason}`}`],
    ['Last arrived', stream.deliveredAt?.toISOString() ?? 'nothing yet'],
    [
      'Failing',
      failing === null ? 'no' : `since ${failing.since.toISOString()}: ${failing.failure}`,
    ],
    ['Waiting', countOf(waiting)],
    ['Refused', countOf(refused)],
  ]
  // A receiver writes some of it: its line feeds make no lines of ours.
  const told = lines.map(([name, value]) => `${name.padEnd(14)}${printable(value)}`)
  const next = whatNext(listed)
  return [...told, ...(next.length === 0 ? [] : ['', ...next])].join('\n')
}

/** What an operator does about a stream that does not deliver. */
function whatNext({ stream, refused }: Listed): readonly string[] {
  const { streamId, failing, status } = stream
  return [
    ...(failing === null ? [] : [adviseFailure(stream, failing.failure)]),
    ...(status === 'enabled'
      ? []
      : [`To go on: ${COMMAND} streams status ${streamId} enabled --reason TEXT`]),
    ...(refused === 0 ? [] : [`What was refused: ${COMMAND} streams dead ${streamId}`]),
  ]
}

function placeOf({ delivery }: StoredStream): string {
  if (delivery.method === STATE) return nameOfTarget(delivery.target)
  return delivery.method === PUSH ? delivery.url : 'polled'
}

/** What is counted is counted so far and no further. */
export const COUNTED_MOST = 10_000

function countOf(count: number): string {
  return count > COUNTED_MOST ? `over ${COUNTED_MOST}` : String(count)
}
