import { err, ok, type Result } from '../../base/result.ts'
import type { PollFailure, PollRefusal, PollRequest } from '../../signals/poll-request.ts'
import { readTokenId, type TokenName } from '../../signals/security-event-token.ts'
import { POLL } from '../../signals/stream.ts'
import type { DeliveryOutcome } from '../../store/signals/delivery-outcomes.ts'
import type { DeliveryName, DueDelivery } from '../../store/signals/due-deliveries.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import { type EventDependencies, eventsOfDelivery, isDeviceEvent } from './events-of-delivery.ts'
import type { StreamFailure } from './manage-streams.ts'
import type { PollPlaces } from './poll-places.ts'

export type PollDependencies = EventDependencies & {
  readonly store: Pick<
    Store,
    'findStream' | 'dueDeliveries' | 'waitingDeliveries' | 'settleDeliveries' | 'noteStreamHealth'
  >
  /** Resolves when something may have come, and after a while in any case. */
  readonly waitForEvents: (signal: AbortSignal) => Promise<void>
  readonly places: PollPlaces
  readonly clock: () => Date
}

/** How long a poll that waits is kept open: shorter than what stands between us and it keeps it. */
export const LONGEST_POLL_MS = 25_000

/** What a poll is answered with (RFC 8936 §2.3): tokens by their `jti`. */
export type Polled = {
  readonly sets: Readonly<Record<string, string>>
  readonly moreAvailable: boolean
}

/**
 * Takes what a receiver has, and hands out what it has not: of each lane the first event alone, since the
 * tokens of an answer have no order. What is not acknowledged is handed out again by the next poll. So many polls
 * of a client wait at once; one more is answered as if it had asked for what there is now (RFC 8936 §2.2).
 */
export async function pollStream(
  dependencies: PollDependencies,
  name: { readonly streamId: string; readonly clientId: string },
  { request, signal }: { readonly request: PollRequest; readonly signal: AbortSignal },
): Promise<Result<Polled, StreamFailure | PollFailure>> {
  const { store, clock } = dependencies
  const stream = await store.findStream(name)
  if (stream === null || stream.delivery.method !== POLL) return err({ reason: 'stream_unknown' })
  await takeAcknowledgements(dependencies, stream, request)
  const polled = await handOut(dependencies, stream, request.maxEvents)
  const mayWait = !request.returnImmediately && request.maxEvents > 0
  if (!mayWait || isSome(polled)) return ok(polled)
  const leave = dependencies.places.take(name.clientId)
  if (leave === undefined) return ok(polled)
  try {
    const end = clock().getTime() + LONGEST_POLL_MS
    return await waitForSome(dependencies, name, { most: request.maxEvents, end, signal })
  } finally {
    leave()
  }
}

function isSome({ sets }: Polled): boolean {
  return Object.keys(sets).length > 0
}

/** Looks again whenever something may have come, and at the stream itself: it may have ended meanwhile. */
async function waitForSome(
  dependencies: PollDependencies,
  name: { readonly streamId: string; readonly clientId: string },
  until: { readonly most: number; readonly end: number; readonly signal: AbortSignal },
): Promise<Result<Polled, StreamFailure>> {
  const { store, clock, waitForEvents } = dependencies
  const { most, end, signal } = until
  for (;;) {
    await waitForEvents(signal)
    const stream = await store.findStream(name)
    if (stream === null) return err({ reason: 'stream_unknown' })
    const polled = await handOut(dependencies, stream, most)
    if (isSome(polled) || signal.aborted || clock().getTime() >= end) return ok(polled)
  }
}

async function handOut(
  dependencies: PollDependencies,
  stream: StoredStream,
  most: number,
): Promise<Polled> {
  const { store, clock } = dependencies
  if (stream.status !== 'enabled') return { sets: {}, moreAvailable: false }
  const { streamId } = stream
  for (;;) {
    const due = await store.dueDeliveries({ streamId, now: clock(), limit: most + 1 })
    const sets: Record<string, string> = {}
    const empty: DeliveryOutcome[] = []
    for (const one of due.slice(0, most)) {
      const events = await eventsOfDelivery(dependencies, stream, one)
      const [event] = events ?? []
      if (event !== undefined) sets[event.tokenId] = await event.sign()
      // Nothing of it is for this stream, so that nobody would ever acknowledge it.
      else if (events !== undefined) empty.push({ ...nameOf(one), outcome: 'delivered' })
    }
    if (empty.length === 0) return { sets, moreAvailable: due.length > most }
    await store.settleDeliveries({ outcomes: empty, now: clock() })
  }
}

/** What a receiver says of tokens that are none, or none of its own, is passed over (RFC 8936 §2.2). */
async function takeAcknowledgements(
  dependencies: PollDependencies,
  stream: StoredStream,
  { acknowledged, refused }: PollRequest,
): Promise<void> {
  const { store, clock } = dependencies
  const words = new Map<string, Acknowledgement[]>()
  const note = (tokenId: string, refusal: PollRefusal | undefined) => {
    const token = readTokenId(tokenId)
    if (token?.streamId !== stream.streamId) return
    const key = keyOf({ ...token, deviceId: token.lane })
    words.set(key, [...(words.get(key) ?? []), { token, refusal }])
  }
  for (const tokenId of acknowledged) note(tokenId, undefined)
  for (const refusal of refused) note(refusal.tokenId, refusal)
  if (words.size === 0) return
  const names = [...words.values()].flatMap(([first]) => {
    if (first === undefined) return []
    const { streamId, lane: deviceId, position } = first.token
    return [{ streamId, deviceId, position }]
  })
  const waiting = await store.waitingDeliveries(names)
  const outcomes = await Promise.all(
    waiting.map((one) => outcomeOf(dependencies, stream, one, words.get(keyOf(one)) ?? [])),
  )
  if (outcomes.length === 0) return
  const now = clock()
  await store.settleDeliveries({ outcomes, now })
  await store.noteStreamHealth({ streamId: stream.streamId, failing: null, now })
}

type Acknowledgement = { readonly token: TokenName; readonly refusal: PollRefusal | undefined }

async function outcomeOf(
  dependencies: PollDependencies,
  stream: StoredStream,
  due: DueDelivery,
  words: readonly Acknowledgement[],
): Promise<DeliveryOutcome> {
  const name = nameOf(due)
  const refusal = words.find((word) => word.refusal !== undefined)?.refusal
  const types = words.flatMap(({ token, refusal: no }) => (no === undefined ? [token.type] : []))
  const delivered = [...new Set([...due.delivered, ...types.filter(isDeviceEvent)])]
  if (refusal !== undefined) {
    const failure = `${refusal.error} ${refusal.description}`.trim()
    return { ...name, outcome: 'refused', delivered, failure }
  }
  const left = await eventsOfDelivery(dependencies, stream, due)
  if (left?.every(({ type }) => types.includes(type))) return { ...name, outcome: 'delivered' }
  const nextAttemptAt = dependencies.clock()
  return { ...name, outcome: 'later', delivered, failure: '', nextAttemptAt }
}

function nameOf({ deviceId, streamId, position }: DeliveryName): DeliveryName {
  return { deviceId, streamId, position }
}

function keyOf({ deviceId, position }: Pick<DueDelivery, 'deviceId' | 'position'>): string {
  return `${deviceId}.${position}`
}
