import type { Store } from '../store.ts'
import { QueueFullError, StoreError } from '../store-error.ts'
import { CONNECT_MS, WAITING_MOST } from './statement-limits.ts'

/** What administrators read that may go through many rows, and take as long as a statement may. */
type Lists = Pick<
  Store,
  'listDevices' | 'groupDevices' | 'deviceHistory' | 'listRefusals' | 'auditEntries'
>

/**
 * The same lists, of which `most` are read at once: a connection of the pool is always left to whoever
 * changes something, such as a quarantine or a halt. The others wait in their order for as long as
 * for a connection, and are then refused (`queue_full`), as are those for whom there is no room to wait.
 */
export function limitLists(store: Lists, most: number): Lists {
  const places = createPlaces(most)
  const limit = <A extends unknown[], T>(read: (...args: A) => Promise<T>) => {
    return async (...args: A) => {
      await places.take()
      return read(...args).finally(places.leave)
    }
  }
  return {
    listDevices: limit(store.listDevices),
    groupDevices: limit(store.groupDevices),
    deviceHistory: limit(store.deviceHistory),
    listRefusals: limit(store.listRefusals),
    auditEntries: limit(store.auditEntries),
  }
}

function createPlaces(most: number) {
  const waiting = new Set<() => void>()
  let taken = 0
  return {
    take(): Promise<void> {
      if (taken < most) {
        taken += 1
        return Promise.resolve()
      }
      if (waiting.size >= WAITING_MOST) return Promise.reject(new StoreError(new QueueFullError()))
      return new Promise((resolve, reject) => {
        const giveUp = setTimeout(() => {
          waiting.delete(enter)
          reject(new StoreError(new QueueFullError()))
        }, CONNECT_MS)
        const enter = () => {
          clearTimeout(giveUp)
          waiting.delete(enter)
          resolve()
        }
        waiting.add(enter)
      })
    },
    /** The place goes to who has waited longest. */
    leave(): void {
      const [next] = waiting
      if (next === undefined) taken -= 1
      else next()
    },
  }
}
