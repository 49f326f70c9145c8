import { and, asc, eq, isNotNull, sql } from 'drizzle-orm'
import {
  auditedRows,
  callOf,
  type Database,
  onlyRow,
  requestArgument,
} from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { delivery } from '../schema/signal-schema.ts'
import { outbox } from '../schema/system-schema.ts'
import { type DeliveryName, OF_EVENT } from './due-deliveries.ts'

/** Deliveries that a receiver refused: they are kept, and not sent again by themselves. */
export type RefusedDeliveries = {
  /** Those of a stream that were refused, the oldest first. */
  readonly refusedDeliveries: (query: {
    readonly streamId: string
    readonly limit: number
    /** These alone; all where it is absent. */
    readonly positions?: readonly number[]
  }) => Promise<readonly RefusedDelivery[]>
  /** Those of a stream that were refused, of these lanes. */
  readonly refusedInLanes: (query: {
    readonly streamId: string
    readonly lanes: readonly string[]
  }) => Promise<readonly DeliveryName[]>
  /** Has refused ones sent again; answers how many. */
  readonly replayRefused: (input: {
    readonly streamId: string
    readonly deliveries: readonly Pick<DeliveryName, 'deviceId' | 'position'>[]
    readonly by: string
    readonly now: Date
  }) => Promise<number>
}

export type RefusedDelivery = DeliveryName & {
  readonly eventId: string
  readonly createdAt: Date
  readonly refusedAt: Date
  readonly failure: string | null
  readonly type: string
  readonly payload: Json
}

const REPLAY = ['p_stream_id', 'p_deliveries', 'p_at', 'p_by', 'p_audit_id'] as const

/** Where none are named, any. */
function isAmong(position: typeof delivery.position) {
  const among = sql`${sql.placeholder('among')}::bigint[]`
  return sql`(${among} is null or ${position} = any(${among}))`
}

export function prepareRefusedDeliveries(db: Database): RefusedDeliveries {
  const { deviceId, streamId, position, eventId, createdAt, refusedAt, failure } = delivery
  const isRefused = and(eq(streamId, sql.placeholder('streamId')), isNotNull(refusedAt))
  const refused = db
    .select({
      ...{ deviceId, streamId, position, eventId, createdAt, refusedAt, failure },
      ...{ type: outbox.type, payload: outbox.payload },
    })
    .from(delivery)
    .innerJoin(outbox, OF_EVENT)
    .where(and(isRefused, isAmong(position)))
    .orderBy(asc(refusedAt))
    .limit(sql.placeholder('limit'))
    .prepare('refused_deliveries')
  const inLanes = db
    .select({ deviceId, streamId, position })
    .from(delivery)
    .where(and(isRefused, sql`${deviceId} = any(${sql.placeholder('lanes')}::text[])`))
    .prepare('refused_in_lanes')
  const replay = db
    .select({ replayed: sql<number>`replayed` })
    .from(auditedRows(callOf('replay_refused', REPLAY), 'replayed'))
    .prepare('replay_refused')
  return {
    async refusedDeliveries({ positions, ...query }) {
      const among = positions === undefined ? null : `{${positions.join()}}`
      const rows = await refused.execute({ ...query, among })
      return rows.flatMap(({ refusedAt: at, ...row }) => {
        return at === null ? [] : [{ ...row, refusedAt: at }]
      })
    },
    async refusedInLanes({ streamId: id, lanes }) {
      if (lanes.length === 0) return []
      const texts = `{${lanes.map((lane) => `"${lane}"`).join()}}`
      return inLanes.execute({ streamId: id, lanes: texts })
    },
    async replayRefused({ streamId, deliveries, by, now }) {
      const named = deliveries.map(({ deviceId, position }) => ({ device_id: deviceId, position }))
      const { replayed } = onlyRow(
        await replay.execute({
          ...{ p_stream_id: streamId, p_deliveries: encodeJson(named), p_at: now.toISOString() },
          ...{ p_by: encodeText(by), p_audit_id: newRecordId(now) },
          ...requestArgument(),
        }),
      )
      return replayed
    },
  }
}
