/** Something that is run again and again. */
export type Job = {
  /** Runs it now, or once more at once when it is running. */
  readonly wake: () => void
  readonly stop: () => Promise<void>
}

/** Runs something again and again, with a spread so that processes do not run it together. */
export function startJob(
  run: (signal: AbortSignal) => Promise<void>,
  options: {
    readonly everyMs: number
    /** Fresh random bytes. */
    readonly random: (length: number) => Uint8Array
  },
): Job {
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let isRunning = false
  let isWoken = false
  const begin = () => {
    isRunning = true
    isWoken = false
    running = run(stopping.signal).finally(() => {
      isRunning = false
      if (isWoken && !stopping.signal.aborted) begin()
      else schedule()
    })
  }
  const schedule = () => {
    const spread = options.everyMs * (0.5 + (options.random(1)[0] ?? 0) / 256)
    timer = setTimeout(begin, spread)
    timer.unref()
  }
  schedule()
  return {
    wake() {
      isWoken = true
      if (isRunning || stopping.signal.aborted) return
      clearTimeout(timer)
      begin()
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
      clearTimeout(timer)
    },
  }
}
