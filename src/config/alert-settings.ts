import { z } from 'zod'

/** When people are told that something is wrong, or will be. */
export type AlertConfig = {
  /** How many days before something ends people are told of it, descending. */
  readonly expiryWarningDays: readonly number[]
}

const MOST_WARNINGS = 8
const MOST_DAYS = 3650
const DAYS = `must be days before the end, 1 to ${MOST_DAYS}, the most first: 30,7,1`

export const alertSettings = {
  EXPIRY_WARNING_DAYS: z
    .string()
    .regex(/^\d{1,4}(?:,\d{1,4})*$/, DAYS)
    .transform((text) => text.split(',').map(Number))
    .refine((days) => days.every((one) => one >= 1 && one <= MOST_DAYS), DAYS)
    .refine((days) => days.every((one, index) => one < (days[index - 1] ?? Infinity)), DAYS)
    .refine((days) => days.length <= MOST_WARNINGS, `must be ${MOST_WARNINGS} times at most`)
    .default([30, 7, 1]),
}

type Settings = z.infer<z.ZodObject<typeof alertSettings>>

export function readAlertConfig({ EXPIRY_WARNING_DAYS }: Settings): AlertConfig {
  return { expiryWarningDays: EXPIRY_WARNING_DAYS }
}
