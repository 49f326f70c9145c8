import { sql } from 'drizzle-orm'
import type { DeviceEventType } from '../../signals/event-types.ts'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, encodeText } from '../json.ts'
import type { DeliveryName } from './due-deliveries.ts'

/** What came of tries to deliver, of each delivery and of a stream as a whole. */
export type DeliveryOutcomes = {
  /** Says what became of tries; answers of how many the deliveries were still there. */
  readonly settleDeliveries: (input: {
    readonly outcomes: readonly DeliveryOutcome[]
    readonly now: Date
  }) => Promise<number>
  /** Keeps that deliveries to a stream arrive, or that none does; answers since when none has. */
  readonly noteStreamHealth: (input: {
    readonly streamId: string
    readonly failing: { readonly failure: string; readonly retryAt: Date } | null
    readonly now: Date
  }) => Promise<Date | null>
}

export type DeliveryOutcome = DeliveryName &
  (
    | { readonly outcome: 'delivered' }
    /** Its stream was ended or disabled. */
    | { readonly outcome: 'dropped' }
    | {
        readonly outcome: 'refused'
        readonly delivered: readonly DeviceEventType[]
        readonly failure: string
      }
    | {
        readonly outcome: 'later'
        readonly delivered: readonly DeviceEventType[]
        readonly failure: string
        readonly nextAttemptAt: Date
      }
  )

const SETTLE = ['p_outcomes', 'p_at'] as const
const HEALTH = ['p_stream_id', 'p_failure', 'p_retry_at', 'p_at'] as const

export function prepareDeliveryOutcomes(db: Database): DeliveryOutcomes {
  const settle = db
    .select({ settled: sql<number>`settled` })
    .from(sql`${callOf('settle_deliveries', SETTLE)} as settled`)
    .prepare('settle_deliveries')
  const health = db
    .select({ since: sql<string | Date | null>`since` })
    .from(sql`${callOf('note_stream_health', HEALTH)} as since`)
    .prepare('note_stream_health')
  return {
    async settleDeliveries({ outcomes, now }) {
      const named = outcomes.map(({ deviceId, streamId, position, ...what }) => ({
        ...{ device_id: deviceId, stream_id: streamId, position, outcome: what.outcome },
        ...('failure' in what && { delivered: what.delivered, failure: what.failure }),
        ...(what.outcome === 'later' && { next_attempt_at: what.nextAttemptAt.toISOString() }),
      }))
      const args = { p_outcomes: encodeJson(named), p_at: now.toISOString() }
      return onlyRow(await settle.execute(args)).settled
    },
    async noteStreamHealth({ streamId, failing, now }) {
      const { since } = onlyRow(
        await health.execute({
          p_stream_id: streamId,
          p_failure: failing === null ? null : encodeText(failing.failure),
          p_retry_at: failing?.retryAt.toISOString() ?? null,
          p_at: now.toISOString(),
        }),
      )
      return since === null ? null : new Date(since)
    },
  }
}
