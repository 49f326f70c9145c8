import type { Log } from '../../base/log.ts'
import { pauseAfter } from '../../signals/push-answer.ts'
import { STATE } from '../../signals/state-target.ts'
import { POLL } from '../../signals/stream.ts'
import type { DeliveryOutcome } from '../../store/signals/delivery-outcomes.ts'
import type { DueDelivery } from '../../store/signals/due-deliveries.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import { findSuperseded, type MayGoOn } from './deliver-state.ts'
import { type Tried, type TryDependencies, tryDelivery } from './try-delivery.ts'

export type DeliverDependencies = TryDependencies & {
  readonly store: Pick<
    Store,
    | 'dueDeliveries'
    | 'settleDeliveries'
    | 'noteStreamHealth'
    | 'setStreamStatus'
    | 'announceToStream'
    | 'refusedInLanes'
  >
  readonly log: Log
}

/** Deliveries that are under way to one stream at once: a lane has one, so they are of as many devices. */
const AT_ONCE = 32
/** The same while nothing has been arriving: more than one lane, since one alone may never be taken. */
const AT_ONCE_FAILING = 4
/** More than can be under way or unsettled: what is asked for names those too. */
const ASKED_AT_ONCE = 384
/** What became of so many is written down together. */
const SETTLED_AT_ONCE = 64
/** How long a stream may fail until it is paused. */
export const PAUSED_AFTER_MS = 24 * 3_600_000
/** How the reason begins of a stream that was paused for that. */
export const NOTHING_ARRIVED = 'nothing arrived since'
const MINUTE_MS = 60_000

/**
 * Delivers what is due to a stream, until nothing is, or none of many arrives, or it may not go on; what is
 * under way then is waited for. A lane that is slow or refused holds up no other. Answers how many deliveries
 * ended. Whoever runs it has the stream's lease; where two do, every event arrives with the same name, and
 * in a lane none before the one before it has arrived.
 */
export async function deliverStream(
  dependencies: DeliverDependencies,
  stream: StoredStream,
  mayGoOn: MayGoOn,
): Promise<number> {
  if (stream.delivery.method === POLL || stream.status !== 'enabled') return 0
  if (stream.failing !== null && stream.failing.retryAt > dependencies.clock()) return 0
  const run = startRun(dependencies, stream, mayGoOn)
  try {
    await runThrough(dependencies, stream.streamId, run)
  } finally {
    await run.drain()
  }
  return run.end()
}

async function runThrough(
  { store, clock }: DeliverDependencies,
  streamId: string,
  run: ReturnType<typeof startRun>,
): Promise<void> {
  let waiting: DueDelivery[] = []
  let mayBeMore = true
  for (;;) {
    if (run.unsettled() >= SETTLED_AT_ONCE || (waiting.length === 0 && run.unsettled() > 0)) {
      await run.settle()
      // What came next in a lane may be due now.
      mayBeMore = true
    }
    if (run.isOver()) waiting = []
    else if (mayBeMore && waiting.length < run.places()) {
      const due = await store.dueDeliveries({ streamId, now: clock(), limit: ASKED_AT_ONCE })
      waiting = due.filter(({ deviceId }) => !run.isBusy(deviceId))
      mayBeMore = due.length === ASKED_AT_ONCE
    }
    for (const next of waiting.splice(0, run.free())) run.start(next)
    if (run.isIdle()) return
    await run.next()
  }
}

/** The lanes of one run, and what became of them. */
function startRun(dependencies: DeliverDependencies, stream: StoredStream, mayGoOn: MayGoOn) {
  const { store, clock } = dependencies
  const busy = new Set<string>()
  const underWay = new Set<Promise<void>>()
  let finished: DeliveryOutcome[] = []
  let places = stream.failing === null ? AT_ONCE : AT_ONCE_FAILING
  let ended = 0
  let answered = 0
  /** Since the last one that arrived. */
  let failures: Failure[] = []
  let isStopped = false
  let fault: unknown
  const keepOn = async () => {
    isStopped ||= !(await mayGoOn())
    return !isStopped
  }
  const take = ({ outcome, wasAsked }: Tried, { attempts }: DueDelivery) => {
    finished.push(outcome)
    if (outcome.outcome === 'later') {
      if (isStopped) return
      failures.push({ failure: outcome.failure, attempts: attempts + 1 })
      return
    }
    ended += 1
    // What was sent nowhere ends no failure.
    if (!wasAsked) return
    answered += 1
    failures = []
    places = AT_ONCE
  }
  return {
    places: () => places,
    free: () => places - underWay.size,
    isBusy: (lane: string) => busy.has(lane),
    isIdle: () => underWay.size === 0 && finished.length === 0,
    isOver: () => isStopped || failures.length >= places,
    unsettled: () => finished.length,
    start(due: DueDelivery) {
      busy.add(due.deviceId)
      const tried = tryDelivery(dependencies, stream, { due, keepOn })
      const over: Promise<void> = tried.then(
        (result) => {
          underWay.delete(over)
          take(result, due)
        },
        (error) => {
          underWay.delete(over)
          fault ??= error
          isStopped = true
        },
      )
      underWay.add(over)
    },
    /** Until another one is over. */
    async next() {
      if (underWay.size > 0) await Promise.race(underWay)
    },
    /** Until all are. */
    async drain() {
      isStopped = true
      await Promise.all(underWay)
    },
    async settle() {
      const outcomes = finished
      finished = []
      const superseded =
        stream.delivery.method === STATE
          ? await findSuperseded(store, stream.streamId, outcomes)
          : []
      const dropped = superseded.map((one) => ({ ...one, outcome: 'dropped' as const }))
      await store.settleDeliveries({ outcomes: [...dropped, ...outcomes], now: clock() })
      for (const { deviceId } of outcomes) busy.delete(deviceId)
    },
    async end() {
      if (fault !== undefined) throw fault
      const isDown = failures.length >= places || (failures.length > 0 && answered === 0)
      if (isDown) await noteFailure(dependencies, stream, { failures, places })
      else if (answered > 0) await noteArrival(dependencies, stream)
      return ended
    },
  }
}

type Failure = { readonly failure: string; readonly attempts: number }

/** Keeps that it arrives: when that ends a failure, and else about once a minute. */
async function noteArrival(
  { store, clock }: DeliverDependencies,
  { streamId, deliveredAt, failing }: StoredStream,
): Promise<void> {
  const now = clock()
  const isOld = deliveredAt === null || now.getTime() - deliveredAt.getTime() > MINUTE_MS
  if (failing !== null || isOld) await store.noteStreamHealth({ streamId, failing: null, now })
}

/**
 * Keeps that nothing arrives any more. Where many lanes failed one after the other it is the receiver, and all
 * wait; where few did, each waits by itself. A stream that has failed for long is paused, which its receiver
 * is told.
 */
async function noteFailure(
  { store, clock, chance, log }: DeliverDependencies,
  { streamId }: StoredStream,
  { failures, places }: { readonly failures: readonly Failure[]; readonly places: number },
): Promise<void> {
  const now = clock()
  const { failure, attempts } = failures[0] ?? { failure: '', attempts: 1 }
  const pause = failures.length < places ? 0 : pauseAfter(attempts, undefined, chance())
  const retryAt = new Date(now.getTime() + pause)
  const since = await store.noteStreamHealth({ streamId, failing: { failure, retryAt }, now })
  if (since === null || now.getTime() - since.getTime() < PAUSED_AFTER_MS) return
  const reason = `${NOTHING_ARRIVED} ${since.toISOString()}: ${failure}`
  const paused = { streamId, clientId: null, status: 'paused', reason } as const
  const answer = await store.setStreamStatus({ ...paused, failingSince: since, by: 'service', now })
  if (answer !== 'applied') return
  log.error('stream_paused', { stream_id: streamId, reason })
  const payload = { status: 'paused', reason }
  const event = { type: 'stream-updated', payload, intervalMs: 0, now } as const
  await store.announceToStream({ streamId, clientId: null, ...event })
}
