import { and, asc, count, eq, gt, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { delivery } from '../schema/signal-schema.ts'
import type { DeliveryName } from './due-deliveries.ts'

/** All that is kept for a stream, whether it waits or was refused, and what fills it at its beginning. */
export type StreamBacklogs = {
  /** The next stream, by name, for which anything waits or was refused; null after the last. */
  readonly nextStreamWithDeliveries: (after: string) => Promise<string | null>
  /** Some of the deliveries of a stream, refused ones too. */
  readonly deliveriesOf: (query: {
    readonly streamId: string
    readonly limit: number
  }) => Promise<readonly DeliveryName[]>
  /** How many of a stream wait and were refused, each counted to 10,001 at most. */
  readonly countDeliveries: (
    streamId: string,
  ) => Promise<{ readonly waiting: number; readonly refused: number }>
  /**
   * Has a stream hear of the next devices that have attested, behind `after`, as they are. Answers how many, and the
   * last of them; null where there is no such stream, or it keeps no events.
   */
  readonly fillStream: (input: {
    readonly streamId: string
    readonly after: string
    readonly limit: number
    readonly now: Date
  }) => Promise<{ readonly devices: number; readonly last: string } | null>
}

const COUNTED_MOST = 10_001
const FILL = ['p_stream_id', 'p_after', 'p_event_ids', 'p_at'] as const

export function prepareStreamBacklogs(db: Database): StreamBacklogs {
  const { deviceId, streamId, position, refusedAt } = delivery
  const ofStream = eq(streamId, sql.placeholder('streamId'))
  const fill = db
    .select({ devices: sql<number | null>`devices`, last: sql<string | null>`last` })
    .from(sql`${callOf('fill_stream', FILL)} as filled(devices, last)`)
    .prepare('fill_stream')
  const nextStream = (isRefused: SQL) =>
    db
      .select({ streamId })
      .from(delivery)
      .where(and(gt(streamId, sql.placeholder('after')), isRefused))
      .orderBy(asc(streamId))
      .limit(1)
  const nextWaiting = nextStream(isNull(refusedAt)).prepare('next_stream_waiting')
  const nextRefused = nextStream(isNotNull(refusedAt)).prepare('next_stream_refused')
  const ofOne = db
    .select({ deviceId, streamId, position })
    .from(delivery)
    .where(ofStream)
    .limit(sql.placeholder('limit'))
    .prepare('deliveries_of')
  const counted = (isRefused: SQL, name: string) => {
    const some = db
      .select({ one: sql`1`.as('one') })
      .from(delivery)
      .where(and(ofStream, isRefused))
      .limit(COUNTED_MOST)
      .as('some')
    return db.select({ count: count() }).from(some).prepare(name)
  }
  const countWaiting = counted(isNull(refusedAt), 'count_waiting')
  const countRefused = counted(isNotNull(refusedAt), 'count_refused')
  return {
    async nextStreamWithDeliveries(after) {
      const found = [
        ...(await nextWaiting.execute({ after })),
        ...(await nextRefused.execute({ after })),
      ]
      return (
        found
          .map((row) => row.streamId)
          .sort()
          .at(0) ?? null
      )
    },
    deliveriesOf: (query) => ofOne.execute(query),
    async countDeliveries(id) {
      const waiting = onlyRow(await countWaiting.execute({ streamId: id }))
      const refused = onlyRow(await countRefused.execute({ streamId: id }))
      return { waiting: waiting.count, refused: refused.count }
    },
    async fillStream({ streamId, after, limit, now }) {
      const { devices, last } = onlyRow(
        await fill.execute({
          ...{ p_stream_id: streamId, p_after: after, p_at: now.toISOString() },
          p_event_ids: encodeJson(Array.from({ length: limit }, () => newRecordId(now))),
        }),
      )
      return devices === null ? null : { devices, last: last ?? after }
    },
  }
}
