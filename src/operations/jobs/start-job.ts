/** Runs something again and again, with a spread so that processes do not run it together. */
export function startJob(
  run: (signal: AbortSignal) => Promise<void>,
  options: {
    readonly everyMs: number
    /** Fresh random bytes. */
    readonly random: (length: number) => Uint8Array
  },
): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const schedule = () => {
    const spread = options.everyMs * (0.5 + (options.random(1)[0] ?? 0) / 256)
    timer = setTimeout(() => {
      running = run(stopping.signal).finally(schedule)
    }, spread)
    timer.unref()
  }
  schedule()
  return {
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
      clearTimeout(timer)
    },
  }
}
