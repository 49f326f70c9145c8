const HOUR_MS = 3_600_000
const DAY = 24

/** How long the audit log is kept. */
export const AUDIT_DAYS = 730

/**
 * The tables that lie in partitions by time: by which column, how many hours each partition spans, and
 * how many are made ahead. What is made ahead is also how long an operator has to act on the alarm that
 * none could be made.
 */
export const PARTITIONED = {
  attestation: { column: 'at', hours: 7 * DAY, ahead: 2 },
  refusal: { column: 'period', hours: 7 * DAY, ahead: 2 },
  audit: { column: 'at', hours: 30 * DAY, ahead: 1 },
  settled_event: { column: 'settled_at', hours: DAY, ahead: 3 },
  spent_nonce: { column: 'expires_at', hours: DAY, ahead: 3 },
  question: { column: 'period', hours: DAY, ahead: 3 },
  spent_context: { column: 'expires_at', hours: DAY, ahead: 3 },
  // One for each request by a bound token: hours of them are many, and of no use a moment later.
  spent_proof: { column: 'expires_at', hours: 3, ahead: 8 },
  sign_in: { column: 'expires_at', hours: 3, ahead: 8 },
  // A session lasts a week at most: so far ahead its row has to find a place.
  person_session: { column: 'expires_at', hours: DAY, ahead: 8 },
} as const satisfies Readonly<Record<string, Partitioned>>

type Partitioned = { readonly column: string; readonly hours: number; readonly ahead: number }

export type PartitionedTable = keyof typeof PARTITIONED

export const PARTITIONED_TABLES = Object.keys(PARTITIONED) as readonly PartitionedTable[]

/** Periods follow each other from the epoch on: where the one begins that a time is in. */
export function beginOfPeriod(table: PartitionedTable, at: Date): Date {
  const length = PARTITIONED[table].hours * HOUR_MS
  return new Date(Math.floor(at.getTime() / length) * length)
}
