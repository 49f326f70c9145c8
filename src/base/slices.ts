import { setImmediate } from 'node:timers/promises'

/** Longest stretch of work before anything else in the process gets its turn. */
const SLICE_MS = 2

/** Visits all items in their order. A process that serves answers others between two slices. */
export async function visitInSlices<T>(
  items: readonly T[],
  visit: (item: T) => void,
): Promise<void> {
  let end = performance.now() + SLICE_MS
  for (const item of items) {
    visit(item)
    // After each of them: a look costs nothing beside the least of visits, and one visit may take as long as many.
    if (performance.now() < end) continue
    await setImmediate()
    end = performance.now() + SLICE_MS
  }
}
