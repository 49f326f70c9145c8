/** npm passes on what the terminal has sent to the whole group: it arrives twice. */
const SAME_KEY_PRESS_MS = 1000

/** How often it is looked whether npm is still there. */
const PARENT_EVERY_MS = 500

/**
 * Aborts when somebody asks this process to stop: Ctrl-C, or SIGTERM of whoever supervises it. The
 * second time ends the process at once. From the call on the default, to die at once, is off.
 *
 * Under npm it aborts too when npm has gone, however that was: npm hands signals on, but nobody can when
 * it was killed, and a service without its npm is one that nobody knows how to stop.
 */
export function listenForStop(): AbortSignal {
  const stop = new AbortController()
  let askedAt = 0
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted && performance.now() - askedAt > SAME_KEY_PRESS_MS) process.exit(1)
      if (stop.signal.aborted) return
      askedAt = performance.now()
      stop.abort()
    })
  }
  if (process.env.npm_lifecycle_event !== undefined) abortWithoutParent(stop)
  return stop.signal
}

/** A process whose parent has ended is given another one. */
function abortWithoutParent(stop: AbortController): void {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop.abort()
  }, PARENT_EVERY_MS)
  watch.unref()
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
