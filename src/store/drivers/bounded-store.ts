import type { Store } from '../store.ts'
import { QueueFullError, StoreError } from '../store-error.ts'

/** Calls under way and waiting. More are refused at once (`queue_full`). */
const CALLS_MOST = 2048

/**
 * The same store over a database that runs one statement at a time: what waits for its turn is bounded,
 * as memory is. There is nothing more to limit. PGlite has no timers, so that it ends no statement, and
 * with one session there is no lock that anybody else could hold.
 */
export function boundCalls(store: Store, most = CALLS_MOST): Store {
  let calls = 0
  const bound = (call: (...args: unknown[]) => Promise<unknown>) => {
    return async (...args: unknown[]) => {
      if (calls >= most) throw new StoreError(new QueueFullError())
      calls += 1
      try {
        return await call(...args)
      } finally {
        calls -= 1
      }
    }
  }
  const methods = Object.entries(store).map(([name, member]) => [
    name,
    typeof member === 'function' ? bound(member as Parameters<typeof bound>[0]) : member,
  ])
  const bounded: Store = {
    ...(Object.fromEntries(methods) as Store),
    close: store.close,
    forUse: () => bounded,
  }
  return bounded
}
