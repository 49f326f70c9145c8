import type { Bell } from './bell.ts'

/** So long a poll waits where nobody rings. */
const PAUSE_MS = 1000
/**
 * Rings so close to each other are one: each has every poll that waits look at its stream, and where the whole fleet
 * changes they do not end.
 */
const GATHER_MS = 200

/** Until the bell has rung and those who ring with it have, or for a while where nobody rings it. */
export function waitForEvents(bell: Bell, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    let timer = setTimeout(done, PAUSE_MS)
    const stop = bell.onRing(() => {
      stop()
      clearTimeout(timer)
      timer = setTimeout(done, GATHER_MS)
    })
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
