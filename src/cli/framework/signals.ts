/** npm passes on what the terminal has sent to the whole group: it arrives twice. */
const SAME_KEY_PRESS_MS = 1000

/**
 * Aborts when somebody asks this process to stop: Ctrl-C, or SIGTERM of whoever supervises it. The
 * second time ends the process at once. From the call on the default, to die at once, is off.
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
  return stop.signal
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
