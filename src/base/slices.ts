import { setImmediate } from 'node:timers/promises'

/** Longest stretch of work before anything else in the process gets its turn. */
const SLICE_MS = 2
const ITEMS_BETWEEN_LOOKS = 16

/** Visits all items in their order. A process that serves answers others between two slices. */
export async function visitInSlices<T>(
  items: readonly T[],
  visit: (item: T) => void,
): Promise<void> {
  let end = performance.now() + SLICE_MS
  for (const [index, item] of items.entries()) {
    visit(item)
    if (index % ITEMS_BETWEEN_LOOKS !== 0 || performance.now() < end) continue
    await setImmediate()
    end = performance.now() + SLICE_MS
  }
}
