import { err, ok, type Result } from '../../base/result.ts'
import { deviceEventsIn } from '../../signals/event-types.ts'
import {
  type Delivery,
  describeStream,
  MIN_VERIFICATION_SECONDS,
  POLL,
  PUSH,
} from '../../signals/stream.ts'
import {
  checkOwnMembers,
  readStatusChange,
  readStreamToChange,
  readStreamToCreate,
  readVerification,
  type StreamRequestFailure,
  type StreamSettings,
} from '../../signals/stream-request.ts'
import { readSubjectChange, type SubjectRequestFailure } from '../../signals/subject-request.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'

export const STREAM_REASONS = [
  'stream_unknown',
  'too_many_streams',
  'too_many_subjects',
  /** Somebody else changed it first, several times in a row. */
  'stream_contended',
  'verification_too_soon',
] as const

export type StreamFailure =
  | { readonly reason: (typeof STREAM_REASONS)[number] }
  | StreamRequestFailure
  | SubjectRequestFailure

export type StreamDependencies = {
  readonly store: Pick<
    Store,
    | 'createStream'
    | 'changeStream'
    | 'setStreamStatus'
    | 'removeStream'
    | 'findStream'
    | 'streamsOf'
    | 'announceToStream'
    | 'excludeSubject'
  >
  /** Seals the header of a push for the stream of this name. */
  readonly sealAuthorization: (authorization: string, streamId: string) => string
  /** Makes the first key that events are signed with, if there is none. */
  readonly makeEventKey: () => Promise<void>
  /** Our URL. */
  readonly issuer: string
  readonly pollUrlOf: (streamId: string) => string
  /** A fresh name: `str_` and the base32 of 16 random bytes. */
  readonly newStreamId: () => string
  readonly clock: () => Date
}

/** How many streams one client may have: each is written to by every change of a device. */
export const MAX_STREAMS = 8
/** How many subjects a stream may leave out: events are held against them one by one. */
export const MAX_SUBJECTS_LEFT_OUT = 10_000
const TRIES = 3

/** What a receiver is told of its stream. */
export type ToldStream = ReturnType<typeof describeStream>

/**
 * Makes a stream for a client (SSF 1.0 §8.1.1.1). Its audience is the host that it is pushed to, or for one
 * that is polled the client itself.
 */
export async function createStream(
  dependencies: StreamDependencies,
  clientId: string,
  body: unknown,
): Promise<Result<ToldStream, StreamFailure>> {
  const read = readStreamToCreate(body)
  if (!read.ok) return read
  const { delivery, eventsRequested, description = null } = read.value
  const { store, clock, newStreamId, makeEventKey } = dependencies
  await makeEventKey()
  const streamId = newStreamId()
  const answer = await store.createStream({
    ...{ streamId, clientId, description, eventsRequested, subjectForm: 'user' },
    audience: delivery.method === PUSH ? new URL(delivery.url).origin : clientId,
    delivery: sealDelivery(dependencies, delivery, streamId),
    eventsDelivered: deviceEventsIn(eventsRequested),
    ...{ most: MAX_STREAMS, by: clientId, now: clock() },
  })
  if (answer !== 'applied') return err({ reason: answer })
  return findOne(dependencies, { streamId, clientId })
}

/** The streams of a client, or the one of this name (SSF 1.0 §8.1.1.2). */
export async function readStreams(
  dependencies: StreamDependencies,
  clientId: string,
): Promise<readonly ToldStream[]> {
  const streams = await dependencies.store.streamsOf(clientId)
  return streams.map((stream) => tell(dependencies, stream))
}

export async function readStream(
  dependencies: StreamDependencies,
  name: { readonly streamId: string; readonly clientId: string },
): Promise<Result<ToldStream, StreamFailure>> {
  return findOne(dependencies, name)
}

/**
 * Updates a stream, or with `replaces` sets all that its receiver may set anew, which takes back what is left
 * out (SSF 1.0 §8.1.1.3, §8.1.1.4).
 */
export async function changeStream(
  dependencies: StreamDependencies,
  input: { readonly clientId: string; readonly body: unknown; readonly replaces: boolean },
): Promise<Result<ToldStream, StreamFailure>> {
  const { store, clock } = dependencies
  const { clientId, replaces } = input
  const read = readStreamToChange(input.body)
  if (!read.ok) return read
  const { streamId, settings, sent } = read.value
  for (let tries = 0; tries < TRIES; tries++) {
    const stream = await store.findStream({ streamId, clientId })
    if (stream === null) return err({ reason: 'stream_unknown' })
    const own = checkOwnMembers(sent, tell(dependencies, stream))
    if (!own.ok) return own
    const answer = await store.changeStream({
      ...{ streamId, clientId, revision: stream.revision, by: clientId, now: clock() },
      ...mergeSettings(dependencies, stream, replaces ? withDefaults(settings) : settings),
    })
    if (answer === 'stream_unknown') return err({ reason: answer })
    if (answer === 'applied') return findOne(dependencies, { streamId, clientId })
  }
  return err({ reason: 'stream_contended' })
}

export async function removeStream(
  { store, clock }: StreamDependencies,
  name: { readonly streamId: string; readonly clientId: string },
): Promise<Result<void, StreamFailure>> {
  const answer = await store.removeStream({ ...name, by: name.clientId, now: clock() })
  return answer === 'applied' ? ok(undefined) : err({ reason: answer })
}

/** How a stream stands (SSF 1.0 §8.1.2). */
export type ToldStatus = {
  readonly stream_id: string
  readonly status: StoredStream['status']
  readonly reason?: string
}

export async function readStatus(
  { store }: StreamDependencies,
  name: { readonly streamId: string; readonly clientId: string },
): Promise<Result<ToldStatus, StreamFailure>> {
  const stream = await store.findStream(name)
  return stream === null ? err({ reason: 'stream_unknown' }) : ok(tellStatus(stream))
}

export async function changeStatus(
  { store, clock }: StreamDependencies,
  clientId: string,
  body: unknown,
): Promise<Result<ToldStatus, StreamFailure>> {
  const read = readStatusChange(body)
  if (!read.ok) return read
  const { streamId, status, reason } = read.value
  const change = { streamId, clientId, status, reason, by: clientId, now: clock() }
  const answer = await store.setStreamStatus(change)
  if (answer === 'stream_unknown') return err({ reason: answer })
  return ok(tellStatus({ streamId, status, reason }))
}

/** Has a verification event sent, which carries `state` back exactly (SSF 1.0 §8.1.4.2). */
export async function verifyStream(
  { store, clock }: StreamDependencies,
  clientId: string,
  body: unknown,
): Promise<Result<void, StreamFailure>> {
  const read = readVerification(body)
  if (!read.ok) return read
  const { streamId, state } = read.value
  const answer = await store.announceToStream({
    ...{ streamId, clientId, type: 'verification', now: clock() },
    payload: state === undefined ? {} : { state },
    intervalMs: MIN_VERIFICATION_SECONDS * 1000,
  })
  if (answer === 'too_soon') return err({ reason: 'verification_too_soon' })
  return answer === 'applied' ? ok(undefined) : err({ reason: answer })
}

/**
 * Has a receiver hear of a subject again, or nothing more of it (SSF 1.0 §8.1.3). All are in a stream unless
 * they were removed; whether there is such a device is not said.
 */
export async function changeSubject(
  { store, issuer, clock }: StreamDependencies,
  input: { readonly clientId: string; readonly body: unknown; readonly removes: boolean },
): Promise<Result<void, StreamFailure>> {
  const read = readSubjectChange(input.body, issuer)
  if (!read.ok) return read
  const { streamId, subject } = read.value
  const { clientId, removes: excluded } = input
  const most = MAX_SUBJECTS_LEFT_OUT
  const change = { streamId, clientId, ...subject, excluded, most, by: clientId, now: clock() }
  const answer = await store.excludeSubject(change)
  if (answer === 'stream_unknown' || answer === 'too_many_subjects') return err({ reason: answer })
  return ok(undefined)
}

async function findOne(
  dependencies: StreamDependencies,
  name: { readonly streamId: string; readonly clientId: string },
): Promise<Result<ToldStream, StreamFailure>> {
  const stream = await dependencies.store.findStream(name)
  return stream === null ? err({ reason: 'stream_unknown' }) : ok(tell(dependencies, stream))
}

function tell({ issuer, pollUrlOf }: StreamDependencies, stream: StoredStream): ToldStream {
  const { delivery, streamId } = stream
  // What it is called with was told once, by its receiver, and is told to nobody again.
  const told: Delivery =
    delivery.method === PUSH
      ? { method: PUSH, url: delivery.url, authorization: null }
      : { method: POLL }
  return describeStream({ ...stream, delivery: told }, { issuer, pollUrl: pollUrlOf(streamId) })
}

function tellStatus({
  streamId,
  status,
  reason,
}: Pick<StoredStream, 'streamId' | 'status' | 'reason'>): ToldStatus {
  return { stream_id: streamId, status, ...(reason !== null && { reason }) }
}

function withDefaults(settings: StreamSettings): StreamSettings & { readonly isWhole: true } {
  return { eventsRequested: [], ...settings, isWhole: true }
}

/**
 * What a stream is after a change. A receiver that sends the URL of before back without a header keeps the
 * header: it was never told to it again.
 */
function mergeSettings(
  dependencies: StreamDependencies,
  stream: StoredStream,
  settings: StreamSettings & { readonly isWhole?: boolean },
) {
  const { delivery, eventsRequested = stream.eventsRequested } = settings
  const description =
    settings.description ?? (settings.isWhole === true ? null : stream.description)
  return {
    delivery:
      delivery === undefined ? stream.delivery : changedDelivery(dependencies, stream, delivery),
    ...{ eventsRequested, eventsDelivered: deviceEventsIn(eventsRequested), description },
  }
}

function changedDelivery(
  dependencies: StreamDependencies,
  { delivery: before, streamId }: StoredStream,
  delivery: Delivery,
): StoredStream['delivery'] {
  const isSamePlace =
    delivery.method === PUSH && before.method === PUSH && delivery.url === before.url
  if (isSamePlace && delivery.authorization === null) return before
  return sealDelivery(dependencies, delivery, streamId)
}

function sealDelivery(
  { sealAuthorization }: StreamDependencies,
  delivery: Delivery,
  streamId: string,
): StoredStream['delivery'] {
  if (delivery.method !== PUSH) return delivery
  const { url, authorization } = delivery
  const sealed = authorization === null ? null : sealAuthorization(authorization, streamId)
  return { method: PUSH, url, sealedAuthorization: sealed }
}
