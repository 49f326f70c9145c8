import type { z } from 'zod'
import { wholeNumber } from '../base/fields.ts'

/** How much agents may ask of the service. */
export type LimitConfig = {
  readonly deviceAttestationsPerMinute: number
  readonly maxConcurrentVerifications: number
  readonly maxConcurrentSubmissions: number
  /** Devices on record for whose hardware nobody vouches, and how many of them may be new in a minute. */
  readonly unvouchedDevicesMost: number
  readonly unvouchedDevicesPerMinute: number
}

/** Limits of what agents send, so that none keeps the others from being answered. */
export const limitSettings = {
  DEVICE_ATTESTATIONS_PER_MINUTE: wholeNumber(1, 6000, 10),
  MAX_CONCURRENT_VERIFICATIONS: wholeNumber(1, 1024, 32),
  MAX_CONCURRENT_SUBMISSIONS: wholeNumber(1, 4096, 256),
  UNVOUCHED_DEVICES_MOST: wholeNumber(0, 1_000_000, 20_000),
  UNVOUCHED_DEVICES_PER_MINUTE: wholeNumber(1, 100_000, 2000),
}

type Settings = z.infer<z.ZodObject<typeof limitSettings>>

export function readLimitConfig(settings: Settings): LimitConfig {
  return {
    deviceAttestationsPerMinute: settings.DEVICE_ATTESTATIONS_PER_MINUTE,
    maxConcurrentVerifications: settings.MAX_CONCURRENT_VERIFICATIONS,
    maxConcurrentSubmissions: settings.MAX_CONCURRENT_SUBMISSIONS,
    unvouchedDevicesMost: settings.UNVOUCHED_DEVICES_MOST,
    unvouchedDevicesPerMinute: settings.UNVOUCHED_DEVICES_PER_MINUTE,
  }
}
