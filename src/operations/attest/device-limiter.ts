import { forgetOldest } from '../../base/forget-oldest.ts'

/**
 * A token bucket for each device key, never for an address: an office behind one address is many
 * devices. Only a proven key is charged, so that nobody can spend another device's tokens.
 */
export type DeviceLimiter = {
  /** Seconds to wait, or 0 when the attempt may go on. */
  readonly charge: (deviceId: string, now: Date) => number
}

/** Past this many devices the ones that were idle longest are forgotten, which only refills them. */
const MAX_DEVICES = 100_000

export function createDeviceLimiter(perMinute: number): DeviceLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const perMs = perMinute / 60_000
  return {
    charge(deviceId, now) {
      const at = now.getTime()
      const bucket = buckets.get(deviceId) ?? { tokens: perMinute, at }
      const tokens = Math.min(perMinute, bucket.tokens + Math.max(0, at - bucket.at) * perMs)
      buckets.delete(deviceId)
      buckets.set(deviceId, { tokens: tokens >= 1 ? tokens - 1 : tokens, at })
      forgetOldest(buckets, MAX_DEVICES)
      return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perMs / 1000)
    },
  }
}
