import type { AttestationClaims } from '../../appraisal/claims.ts'
import { isVouched } from '../../appraisal/hardware.ts'
import type { Origin } from '../../appraisal/origin.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'

export const UNVOUCHED_REASONS = [
  /** Hardware has to be proven, and nobody vouches for this device's. */
  'device_not_vouched',
  /** Too many came at once to this process. */
  'enrolment_rate_limited',
  /** As many as may be are recorded. */
  'enrolment_full',
] as const

export type UnvouchedFailure =
  | { readonly reason: 'device_not_vouched' }
  | {
      readonly reason: 'enrolment_rate_limited' | 'enrolment_full'
      readonly retryAfterSeconds: number
    }

/**
 * Who may become a new row although nobody vouches for its hardware: keys cost nothing to make, so
 * that these devices have budgets. A device that is known pays nothing, and attests as ever when they
 * are spent.
 */
export type UnvouchedDevices = {
  /** Whether these claims, of whose origin is known what it is, may make a new device. Charges nothing. */
  readonly mayEnter: (
    claims: AttestationClaims,
    origin: Origin,
    now: Date,
  ) => Promise<Result<null, UnvouchedFailure>>
  /** Charges for one that was recorded. Those that are under way at once may go past the budget. */
  readonly noteNew: (claims: AttestationClaims, now: Date) => void
}

/** A count is taken again after this time; what this process adds meanwhile is added to it. */
const COUNT_MAX_AGE_MS = 30_000
const FULL_RETRY_SECONDS = 3600

export function createUnvouchedDevices(
  store: Pick<Store, 'countUnvouched'>,
  limits: {
    /** New devices in a minute, in this process. */
    readonly perMinute: number
    /** Devices in the store. */
    readonly most: number
  },
): UnvouchedDevices {
  const perMs = limits.perMinute / 60_000
  let bucket = { tokens: limits.perMinute, at: 0 }
  let count: { devices: number; readonly at: number } | undefined

  const refill = (at: number) => {
    const earned = Math.max(0, at - bucket.at) * perMs
    bucket = { tokens: Math.min(limits.perMinute, bucket.tokens + earned), at }
  }
  const isFull = async (at: number) => {
    if (count === undefined || Math.abs(at - count.at) >= COUNT_MAX_AGE_MS) {
      count = { devices: await store.countUnvouched(limits.most), at }
    }
    return count.devices >= limits.most
  }

  return {
    async mayEnter(claims, origin, now) {
      if (isVouched(claims)) return ok(null)
      if (origin === 'hardware_unproven') return err({ reason: 'device_not_vouched' })
      refill(now.getTime())
      if (bucket.tokens < 1) {
        const retryAfterSeconds = Math.ceil((1 - bucket.tokens) / perMs / 1000)
        return err({ reason: 'enrolment_rate_limited', retryAfterSeconds })
      }
      if (await isFull(now.getTime())) {
        return err({ reason: 'enrolment_full', retryAfterSeconds: FULL_RETRY_SECONDS })
      }
      return ok(null)
    },
    noteNew(claims, now) {
      if (isVouched(claims)) return
      refill(now.getTime())
      bucket.tokens -= 1
      if (count !== undefined) count.devices += 1
    },
  }
}
