import type { Store } from '../../store/store.ts'

export type ReplayDependencies = {
  readonly store: Pick<Store, 'refusedDeliveries' | 'replayRefused'>
  readonly clock: () => Date
}

const BATCH = 500

/**
 * Has deliveries that a receiver refused sent again: those at these positions, or all. Answers how many. What is
 * refused once more meanwhile is not taken up again: a run replays what was refused before it began.
 */
export async function replayRefused(
  { store, clock }: ReplayDependencies,
  input: {
    readonly streamId: string
    readonly positions: readonly number[] | 'all'
    readonly by: string
    readonly onProgress?: (replayed: number) => void
  },
): Promise<number> {
  const { streamId, positions, by } = input
  const begun = clock()
  let replayed = 0
  for (;;) {
    const refused = await store.refusedDeliveries(
      positions === 'all'
        ? { streamId, limit: BATCH }
        : { streamId, limit: positions.length, positions },
    )
    const deliveries = refused.filter(({ refusedAt }) => positions !== 'all' || refusedAt <= begun)
    if (deliveries.length === 0) return replayed
    const done = await store.replayRefused({ streamId, deliveries, by, now: clock() })
    replayed += done
    input.onProgress?.(replayed)
    if (done === 0 || positions !== 'all' || refused.length < BATCH) return replayed
  }
}
