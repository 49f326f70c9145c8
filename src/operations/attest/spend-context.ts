import { deviceIdOf } from '../../access/device-id.ts'
import { err, ok } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { ContextUse, SpendContext } from '../../verifier/protocol/service-context.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import { createMemory } from './memory.ts'

/** Past this many the oldest are forgotten: what counts for all processes is in the store anyway. */
const MAX_REMEMBERED = 50_000

/**
 * One service context serves one message that reaches verification.
 *
 * In the store, and so for all processes, is written what a key used up that an anchor vouches for or
 * that belongs to a known device; each of these a bounded number of times in a minute, so that the
 * rows are bounded by the fleet. Keys that anybody could have made up write nothing: what they used up
 * is remembered by this process alone, and no more than it can bear.
 */
export function createContextSpender(input: {
  readonly store: Pick<Store, 'spendContext' | 'trustRecord'>
  readonly limiter: DeviceLimiter
  readonly clock: () => Date
}): SpendContext {
  const { store, limiter, clock } = input
  const remembered = createMemory(MAX_REMEMBERED)

  const spendInStore = async (use: ContextUse, deviceId: string) => {
    const wait = limiter.charge(deviceId, clock())
    if (wait > 0) {
      return err({ reason: 'context_rate_limited', retryAfterSeconds: wait } as const)
    }
    const isFirst = await store.spendContext({ contextId: use.contextId, expiresAt: use.expiresAt })
    return isFirst ? ok(true as const) : err({ reason: 'context_spent' } as const)
  }

  const isKnown = async (deviceId: string) => (await store.trustRecord(deviceId)).record !== null

  return async (use) => {
    // Claimed before anything is waited for, so that two messages of this process cannot both go on.
    if (!remembered.add(use.contextId)) return err({ reason: 'context_spent' })
    const deviceId = deviceIdOf(use.deviceKey)
    try {
      if (!use.isVouchedFor && !(await isKnown(deviceId))) return ok(true)
      const spent = await spendInStore(use, deviceId)
      if (!spent.ok && spent.failure.reason === 'context_rate_limited') {
        remembered.remove(use.contextId)
      }
      return spent
    } catch (error) {
      // Nobody got an answer by it. If it was written all the same, the store will say so.
      remembered.remove(use.contextId)
      throw error
    }
  }
}
