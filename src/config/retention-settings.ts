import type { z } from 'zod'
import { wholeNumber } from '../base/fields.ts'

/** How long things are kept, in days. */
export type RetentionConfig = {
  readonly historyDays: number
  readonly refusalDays: number
  /** How long a sample of the questions is kept that were asked; 0 for none. */
  readonly questionsDays: number
  /** After so many days without an attestation a device is archived; 0 for never. */
  readonly deviceIdleDays: number
  /** After so many more it is removed. */
  readonly archivedDeviceDays: number
}

/** After how many days what is kept goes. */
export const retentionSettings = {
  HISTORY_DAYS: wholeNumber(1, 3650, 90),
  REFUSAL_DAYS: wholeNumber(1, 3650, 30),
  QUESTIONS_DAYS: wholeNumber(0, 90, 7),
  DEVICE_IDLE_DAYS: wholeNumber(0, 3650, 180),
  ARCHIVED_DEVICE_DAYS: wholeNumber(1, 3650, 90),
}

type Settings = z.infer<z.ZodObject<typeof retentionSettings>>

export function readRetentionConfig(settings: Settings): RetentionConfig {
  return {
    historyDays: settings.HISTORY_DAYS,
    refusalDays: settings.REFUSAL_DAYS,
    questionsDays: settings.QUESTIONS_DAYS,
    deviceIdleDays: settings.DEVICE_IDLE_DAYS,
    archivedDeviceDays: settings.ARCHIVED_DEVICE_DAYS,
  }
}
