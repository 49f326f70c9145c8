/** Ids that were used up, as far as this process remembers: past `most` the oldest are forgotten. */
export type Memory = {
  readonly has: (id: string) => boolean
  /** Whether it was not there. */
  readonly add: (id: string) => boolean
  readonly remove: (id: string) => void
}

/** Ids in the order in which they came. None is younger than what it names, so the oldest may go. */
export function createMemory(most: number): Memory {
  const ids = new Set<string>()
  return {
    has: (id) => ids.has(id),
    add(id) {
      if (ids.has(id)) return false
      ids.add(id)
      for (const oldest of ids) {
        if (ids.size <= most) break
        ids.delete(oldest)
      }
      return true
    },
    remove(id) {
      ids.delete(id)
    },
  }
}
