import type { Log } from '../../base/log.ts'
import { keyOfCause } from '../../rollout/hold.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'

export type EndExpiredDependencies = {
  readonly store: Pick<Store, 'expiredOverrides' | 'endOverride' | 'expiredHolds' | 'endHold'>
  readonly clock: () => Date
  readonly log: Log
}

const REASON = 'its time is over'

/** Ends overrides and holds whose time is over: they decide nothing since then, and now say so. */
export async function endExpired({ store, clock, log }: EndExpiredDependencies): Promise<void> {
  const by = SERVICE
  for (const { overrideId } of await store.expiredOverrides(clock())) {
    const answer = await store.endOverride({ overrideId, by, reason: REASON, now: clock() })
    if (answer === 'applied') log.warn('override_ended', { override_id: overrideId })
  }
  for (const { holdId, cause } of await store.expiredHolds(clock())) {
    const answer = await store.endHold({ holdId, by, reason: REASON, now: clock() })
    if (answer === 'applied') log.warn('hold_ended', { cause: keyOfCause(cause) })
  }
}
