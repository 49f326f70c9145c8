import { and, asc, eq, lt, notExists, sql } from 'drizzle-orm'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson } from '../json.ts'
import { delivery } from '../schema/signal-schema.ts'
import { type EventOutcome, outbox } from '../schema/system-schema.ts'

/** The events that wait for delivery. Each leaves with the change it announces (`announce_change`). */
export type Events = {
  /**
   * Some of the events that have waited since before a time and that no stream is to have: nobody was there
   * to be given them. Those first that are due first.
   */
  readonly waitingEvents: (query: {
    readonly createdBefore: Date
    readonly limit: number
  }) => Promise<readonly EventName[]>
  /**
   * Ends the waiting of events, whatever became of them; says of how many: not of one that was settled
   * before. They are kept for a while, and go as whole partitions.
   */
  readonly settleEvents: (input: {
    readonly events: readonly EventName[]
    readonly outcome: EventOutcome
    readonly now: Date
  }) => Promise<number>
}

export type EventName = { readonly deviceId: string; readonly eventId: string }

const SETTLE = ['p_events', 'p_outcome', 'p_at'] as const

export function prepareEvents(db: Database): Events {
  const waiting = db
    .select({ deviceId: outbox.deviceId, eventId: outbox.eventId })
    .from(outbox)
    .where(
      and(
        // None is due before it was created: the index finds the first of them.
        lt(outbox.nextAttemptAt, sql.placeholder('createdBefore')),
        lt(outbox.createdAt, sql.placeholder('createdBefore')),
        notExists(
          db
            .select({ one: sql`1` })
            .from(delivery)
            .where(
              and(eq(delivery.deviceId, outbox.deviceId), eq(delivery.eventId, outbox.eventId)),
            ),
        ),
      ),
    )
    .orderBy(asc(outbox.nextAttemptAt))
    .limit(sql.placeholder('limit'))
    .prepare('waiting_events')
  const settle = db
    .select({ settled: sql<number>`settled` })
    .from(sql`${callOf('settle_events', SETTLE)} as settled`)
    .prepare('settle_events')
  return {
    waitingEvents: (query) => waiting.execute(query),
    async settleEvents({ events, outcome, now }) {
      const named = events.map(({ deviceId, eventId }) => ({
        device_id: deviceId,
        event_id: eventId,
      }))
      const args = { p_events: encodeJson(named), p_outcome: outcome, p_at: now.toISOString() }
      return onlyRow(await settle.execute(args)).settled
    },
  }
}
