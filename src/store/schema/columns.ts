import { customType, timestamp } from 'drizzle-orm/pg-core'

/**
 * Ids and other machine-made ASCII. Byte order instead of a language's: comparisons are cheaper, a
 * prefix search can use the primary key, and an index survives an upgrade of the C library.
 */
export const asciiText = customType<{ data: string; driverData: string }>({
  dataType: () => 'text collate "C"',
})

/** A point in time, to the millisecond: what a `Date` can carry, so that what is read compares equal. */
export function instant(name: string) {
  return timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
}

/** Bytes. Written and read as hexadecimal digits in SQL: not every driver takes bytes, or gives them. */
export const binary = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
})
