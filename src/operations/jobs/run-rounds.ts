import { describeFault, type Log } from '../../base/log.ts'

/**
 * Runs each of `rounds` once, in their order, until `signal` aborts. One that fails is logged as
 * `control_failed` and keeps none of the others from running: its next round tries again.
 */
export async function runRounds(
  rounds: Readonly<Record<string, () => Promise<void>>>,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal | undefined },
): Promise<void> {
  for (const [round, run] of Object.entries(rounds)) {
    if (signal?.aborted) return
    try {
      await run()
    } catch (error) {
      log.error('control_failed', { round, ...describeFault(error) })
    }
  }
}
