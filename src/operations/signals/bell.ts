/** Tells those who wait in this process that something may have to be delivered. Rung for nothing it costs a look. */
export type Bell = {
  readonly ring: () => void
  /** Calls `listener` at each ring until the answer of this is called. */
  readonly onRing: (listener: () => void) => () => void
}

export function createBell(): Bell {
  const listeners = new Set<() => void>()
  return {
    ring() {
      for (const listener of [...listeners]) listener()
    },
    onRing(listener) {
      // Of its own, so that one that listens twice hears twice and stops once each.
      const own = () => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  }
}
