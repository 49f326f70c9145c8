import { type LeaseDependencies, runExclusively } from './lease.ts'
import { type SweepDependencies, sweepFleet } from './sweep.ts'

/** The cycle that is under way looked at some devices before the change. */
const CYCLES = 2

/**
 * Sweeps at once when other rules came into force, round after round until every device was looked at under
 * them, so that others are told without waiting for the next round. What it answers is called again and
 * again; each call without a change costs one small statement.
 */
export function createChangeSweep(
  dependencies: SweepDependencies & LeaseDependencies,
): (signal: AbortSignal) => Promise<void> {
  const { store } = dependencies
  let seen: string | undefined
  let cyclesLeft = 0
  return async (signal) => {
    for (;;) {
      const inForce = JSON.stringify(await store.inForce())
      if (seen !== undefined && inForce !== seen) cyclesLeft = CYCLES
      seen = inForce
      if (cyclesLeft === 0 || signal.aborted) return
      let hasRun = false
      await runExclusively(dependencies, 'sweep', async (position) => {
        hasRun = true
        const next = await sweepFleet(dependencies, position)
        if (next === '') cyclesLeft -= 1
        return next
      })
      // Another process has the sweep, and saw the change itself.
      if (!hasRun) return
    }
  }
}
