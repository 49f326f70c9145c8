import { UsageError } from '../framework/usage-error.ts'

/** A point in time as a person writes it after an option. */
export function readTime(text: string, label: string): Date {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) {
    throw new UsageError(`${label} must be a time such as 2022-11-17T20:30:00Z`)
  }
  return time
}
