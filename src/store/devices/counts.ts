import { and, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm'
import type { Verdict } from '../../access/trust-record.ts'
import type { Database } from '../drivers/database.ts'
import { device } from '../schema/device-schema.ts'
import { outbox } from '../schema/system-schema.ts'
import { verdictAt } from './device-reads.ts'

/** How long an answer of `counts` is given again. It reads every device: about 0.3 s per million. */
export const COUNTS_MAX_AGE_SECONDS = 30

export type Counts = {
  /** What metrics show, at most `COUNTS_MAX_AGE_SECONDS` old. */
  readonly counts: (now: Date) => Promise<StoreCounts>
  /**
   * Devices that have attested and about whom clauses decide, counted up to `most`: with `validAt`
   * only those whose evidence counts then. As it is now, which is why it stops counting early.
   */
  readonly attestedDevices: (query: {
    readonly most: number
    readonly validAt?: Date
  }) => Promise<number>
  /** All devices on record, counted up to `most`. */
  readonly countDevices: (most: number) => Promise<number>
  /** Devices that have attested and for whose hardware nobody vouches, counted up to `most`. */
  readonly countUnvouched: (most: number) => Promise<number>
}

export type StoreCounts = {
  /** With expiry and quarantine as of the count; every verdict is present. */
  readonly devices: Readonly<Record<Verdict, number>>
  readonly pendingDevices: number
  readonly undeliveredEvents: number
}

export function prepareCounts(db: Database): Counts {
  let last: { readonly at: number; readonly counts: Promise<StoreCounts> } | undefined

  return {
    counts(now) {
      const age = last === undefined ? Number.POSITIVE_INFINITY : now.getTime() - last.at
      if (last !== undefined && age >= 0 && age < COUNTS_MAX_AGE_SECONDS * 1000) return last.counts
      const counts = count(db, now)
      last = { at: now.getTime(), counts }
      // A failure is told to whoever asked and not kept.
      counts.catch(() => {
        last = undefined
      })
      return counts
    },
    async attestedDevices({ most, validAt }) {
      const attested = db
        .select({ deviceId: device.deviceId })
        .from(device)
        .where(
          and(
            isNotNull(device.attestedAt),
            isNull(device.quarantinedAt),
            eq(device.enrolment, 'admitted'),
            validAt && gt(device.validUntil, validAt),
          ),
        )
        .limit(most)
        .as('attested')
      const [row] = await db.select({ devices: sql<number>`count(*)::integer` }).from(attested)
      return row?.devices ?? 0
    },
    async countDevices(most) {
      const some = db.select({ deviceId: device.deviceId }).from(device).limit(most).as('some')
      const [row] = await db.select({ devices: sql<number>`count(*)::integer` }).from(some)
      return row?.devices ?? 0
    },
    async countUnvouched(most) {
      const unvouched = db
        .select({ deviceId: device.deviceId })
        .from(device)
        .where(sql`not ${device.vouched} and ${device.seenOn} is not null`)
        .limit(most)
        .as('unvouched')
      const [row] = await db.select({ devices: sql<number>`count(*)::integer` }).from(unvouched)
      return row?.devices ?? 0
    },
  }
}

async function count(db: Database, now: Date): Promise<StoreCounts> {
  const undelivered = db.$count(outbox)
  const rows = await db
    .select({
      verdict: verdictAt(now).as('verdict'),
      devices: sql<number>`count(*)::integer`,
      pending: sql<number>`count(*) filter (where ${device.enrolment} = 'pending')::integer`,
    })
    .from(device)
    .groupBy(sql`1`)
  const devices = { trusted: 0, untrusted: 0, stale: 0, unknown: 0, quarantined: 0 }
  let pendingDevices = 0
  for (const row of rows) {
    devices[row.verdict] = row.devices
    pendingDevices += row.pending
  }
  return { devices, pendingDevices, undeliveredEvents: await undelivered }
}
