import type { Store } from '../../store/store.ts'

export type LeaseDependencies = {
  readonly store: Pick<Store, 'claimJob' | 'yieldJob'>
  readonly clock: () => Date
  /** Tells processes apart that work on one database. */
  readonly processId: string
}

/** A round that takes longer than this is somebody else's to repeat. */
const LEASE_MS = 10_000

/**
 * Runs `round` in one of all processes at a time, from the position where the last one ended; it
 * answers where the next one begins. Does nothing where another process has the lease, and fails
 * where the lease was lost meanwhile.
 */
export async function runExclusively(
  { store, clock, processId: holder }: LeaseDependencies,
  job: string,
  round: (position: string) => Promise<string>,
): Promise<void> {
  const now = clock()
  const until = new Date(now.getTime() + LEASE_MS)
  const position = await store.claimJob({ job, holder, now, until })
  if (position === null) return
  let next = position
  try {
    next = await round(position)
  } finally {
    await store.yieldJob({ job, holder, position: next, until: null })
  }
}
