import { asc, eq, sql } from 'drizzle-orm'
import { type Database, onlyRow } from '../drivers/database.ts'
import { type FleetCounts, fleetSummary } from '../schema/steering-schema.ts'
import { outbox } from '../schema/system-schema.ts'

/** What is known of the whole fleet without reading it. */
export type FleetSummaries = {
  /** Keeps what a sweep that has ended counted, in the place of the one before. */
  readonly keepFleetSummary: (summary: FleetSummary) => Promise<void>
  /** `null` until a sweep has ended. */
  readonly fleetSummary: () => Promise<FleetSummary | null>
  /** Events that wait to be delivered, counted up to `most`, and when the next one of them was made. */
  readonly waitingInOutbox: (most: number) => Promise<OutboxState>
}

export type FleetSummary = { readonly counts: FleetCounts; readonly at: Date }

export type OutboxState = { readonly waiting: number; readonly next: Date | null }

const SWEEP = 'sweep'

export function prepareFleetSummaries(db: Database): FleetSummaries {
  return {
    async keepFleetSummary({ counts, at }) {
      await db
        .insert(fleetSummary)
        .values({ name: SWEEP, body: counts, at })
        .onConflictDoUpdate({ target: fleetSummary.name, set: { body: counts, at } })
    },
    async fleetSummary() {
      const [row] = await db
        .select({ counts: fleetSummary.body, at: fleetSummary.at })
        .from(fleetSummary)
        .where(eq(fleetSummary.name, SWEEP))
      return row ?? null
    },
    async waitingInOutbox(most) {
      const some = db.select({ deviceId: outbox.deviceId }).from(outbox).limit(most).as('some')
      const counted = await db.select({ rows: sql<number>`count(*)::integer` }).from(some)
      const [first] = await db
        .select({ createdAt: outbox.createdAt })
        .from(outbox)
        .orderBy(asc(outbox.nextAttemptAt))
        .limit(1)
      return { waiting: onlyRow(counted).rows, next: first?.createdAt ?? null }
    },
  }
}
