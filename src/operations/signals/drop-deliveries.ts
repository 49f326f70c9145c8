import type { Store } from '../../store/store.ts'

export type DropDependencies = {
  readonly store: Pick<
    Store,
    'listStreams' | 'nextStreamWithDeliveries' | 'deliveriesOf' | 'settleDeliveries'
  >
  readonly clock: () => Date
}

/**
 * Lets go of at most `limit` deliveries whose stream was ended or disabled, so that nobody is to have them;
 * answers of how many. What waits for a stream that is paused, or was refused by its receiver, stays.
 */
export async function dropDeliveries(
  { store, clock }: DropDependencies,
  limit: number,
): Promise<number> {
  const streams = await store.listStreams()
  const kept = new Set(streams.flatMap((one) => (one.status === 'disabled' ? [] : [one.streamId])))
  let streamId = await store.nextStreamWithDeliveries('')
  while (streamId !== null && kept.has(streamId)) {
    streamId = await store.nextStreamWithDeliveries(streamId)
  }
  if (streamId === null) return 0
  const names = await store.deliveriesOf({ streamId, limit })
  const outcomes = names.map((name) => ({ ...name, outcome: 'dropped' as const }))
  return store.settleDeliveries({ outcomes, now: clock() })
}
