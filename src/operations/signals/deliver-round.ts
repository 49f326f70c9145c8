import { describeFault } from '../../base/log.ts'
import { POLL } from '../../signals/stream.ts'
import type { StoredStream } from '../../store/signals/streams.ts'
import type { Store } from '../../store/store.ts'
import type { MayGoOn } from './deliver-state.ts'
import { type DeliverDependencies, deliverStream } from './deliver-stream.ts'

export type DeliverRoundDependencies = DeliverDependencies & {
  readonly store: Pick<Store, 'listStreams' | 'findStream' | 'claimJob' | 'yieldJob'>
  /** Tells processes apart that work on one database. */
  readonly processId: string
}

/** For so long a stream is one process's to deliver to, and so often it is asked for anew. */
const LEASE_MS = 15_000
const RENEW_MS = 3000

/** Delivers in one process, to each stream beside the others. */
export type Deliverer = {
  /**
   * Begins to deliver what is due to every stream that is pushed to, but to those to which it delivers already, and
   * waits for none of them: a receiver that is slow, or has much to get, keeps no other waiting. Answers how
   * many streams there are that are pushed to.
   */
  readonly begin: (signal: AbortSignal) => Promise<number>
  /** Until all that was begun is over. */
  readonly settled: () => Promise<void>
}

/** Of any number of processes one delivers to a stream at a time. */
export function createDeliverer(dependencies: DeliverRoundDependencies): Deliverer {
  const underWay = new Map<string, Promise<void>>()
  return {
    async begin(signal) {
      const streams = await dependencies.store.listStreams()
      const pushed = streams.filter(({ delivery, status }) => {
        return delivery.method !== POLL && status === 'enabled'
      })
      for (const stream of pushed) {
        const { streamId } = stream
        if (underWay.has(streamId)) continue
        const run = deliverAlone(dependencies, stream, signal)
        underWay.set(
          streamId,
          run.finally(() => underWay.delete(streamId)),
        )
      }
      return pushed.length
    },
    async settled() {
      await Promise.all(underWay.values())
    },
  }
}

/** Delivers what is due now, and waits until all of it is over. */
export async function deliverRound(
  dependencies: DeliverRoundDependencies,
  signal: AbortSignal,
): Promise<number> {
  const deliverer = createDeliverer(dependencies)
  const pushed = await deliverer.begin(signal)
  await deliverer.settled()
  return pushed
}

async function deliverAlone(
  dependencies: DeliverRoundDependencies,
  stream: StoredStream,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, log, processId: holder } = dependencies
  const { streamId } = stream
  const job = `deliver:${streamId}`
  const claim = () => {
    const now = clock()
    return store.claimJob({ job, holder, now, until: new Date(now.getTime() + LEASE_MS) })
  }
  try {
    const [due] = await store.dueDeliveries({ streamId, now: clock(), limit: 1 })
    if (due === undefined || (await claim()) === null) return
    try {
      await deliverStream(dependencies, stream, goOnWhile(dependencies, stream, { claim, signal }))
    } finally {
      await store.yieldJob({ job, holder, position: '', until: null })
    }
  } catch (error) {
    log.error('delivery_failed', { stream_id: streamId, ...describeFault(error) })
  }
}

/** While this process has the stream, and the stream is as it was, which is looked at every `RENEW_MS`. */
function goOnWhile(
  { store, clock }: DeliverRoundDependencies,
  { streamId, clientId, revision }: StoredStream,
  { claim, signal }: { readonly claim: () => Promise<string | null>; readonly signal: AbortSignal },
): MayGoOn {
  const look = async () => {
    const [position, stream] = await Promise.all([
      claim(),
      store.findStream({ streamId, clientId }),
    ])
    return position !== null && stream?.revision === revision
  }
  let last = Promise.resolve(true)
  let lookedAt = clock().getTime()
  return async () => {
    if (signal.aborted) return false
    const now = clock().getTime()
    if (now - lookedAt >= RENEW_MS) {
      lookedAt = now
      last = look()
    }
    return last
  }
}
