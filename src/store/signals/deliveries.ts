import {
  and,
  asc,
  count,
  eq,
  exists,
  gt,
  isNotNull,
  isNull,
  lte,
  notExists,
  type SQL,
  sql,
} from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Enrolment, Verdict } from '../../access/trust-record.ts'
import type { DeviceEventType } from '../../signals/event-types.ts'
import { callOf, type Database, onlyRow } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { device } from '../schema/device-schema.ts'
import { delivery, streamExclusion } from '../schema/signal-schema.ts'
import { outbox } from '../schema/system-schema.ts'

/** What waits to be delivered. Each row leaves with the event that it is of (`announce_change`). */
export type Deliveries = {
  /**
   * Of a stream the first that waits of each lane, as far as it is due, those first that are due first. What
   * comes later in a lane waits for it; what was refused holds up nothing.
   */
  readonly dueDeliveries: (query: {
    readonly streamId: string
    readonly now: Date
    readonly limit: number
  }) => Promise<readonly DueDelivery[]>
  /** Those of these that still wait, whatever they wait for. */
  readonly waitingDeliveries: (names: readonly DeliveryName[]) => Promise<readonly DueDelivery[]>
  /** When the next delivery of a stream is due; null where none waits. */
  readonly nextDeliveryAt: (streamId: string) => Promise<Date | null>
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
  /** Those of a stream that were refused, the oldest first. */
  readonly refusedDeliveries: (query: {
    readonly streamId: string
    readonly limit: number
  }) => Promise<readonly RefusedDelivery[]>
  /** Those of a stream that were refused, of these lanes. */
  readonly refusedInLanes: (query: {
    readonly streamId: string
    readonly lanes: readonly string[]
  }) => Promise<readonly DeliveryName[]>
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
  /** Has refused ones sent again; answers how many. */
  readonly replayRefused: (input: {
    readonly streamId: string
    readonly deliveries: readonly Pick<DeliveryName, 'deviceId' | 'position'>[]
    readonly by: string
    readonly now: Date
  }) => Promise<number>
}

export type DeliveryName = {
  /** The lane: a device, or for events about the stream the stream itself. */
  readonly deviceId: string
  readonly streamId: string
  readonly position: number
}

export type DueDelivery = DeliveryName & {
  readonly eventId: string
  readonly createdAt: Date
  /** Of the events that it comes to, those that the stream has. */
  readonly delivered: readonly DeviceEventType[]
  readonly attempts: number
  readonly type: string
  /** As it was put into the outbox. */
  readonly payload: Json
  /** Of the device as it is now; null where there is none any more. */
  readonly owner: string | null
  /** The device as it is now; null where there is none any more. */
  readonly state: {
    readonly entraDeviceId: string | null
    readonly serial: string | null
    readonly verdict: Verdict
    readonly enrolment: Enrolment
  } | null
  /** Whether its receiver wants to hear nothing of the device or of its owner. */
  readonly isExcluded: boolean
}

export type RefusedDelivery = DeliveryName & {
  readonly eventId: string
  readonly createdAt: Date
  readonly refusedAt: Date
  readonly failure: string | null
  readonly type: string
  readonly payload: Json
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

const COUNTED_MOST = 10_001
const SETTLE = ['p_outcomes', 'p_at'] as const
const HEALTH = ['p_stream_id', 'p_failure', 'p_retry_at', 'p_at'] as const
const FILL = ['p_stream_id', 'p_after', 'p_event_ids', 'p_at'] as const
const REPLAY = ['p_stream_id', 'p_deliveries', 'p_at', 'p_by', 'p_audit_id'] as const

const OF_EVENT = and(eq(outbox.deviceId, delivery.deviceId), eq(outbox.eventId, delivery.eventId))

export function prepareDeliveries(db: Database): Deliveries {
  const settle = db
    .select({ settled: sql<number>`settled` })
    .from(sql`${callOf('settle_deliveries', SETTLE)} as settled`)
    .prepare('settle_deliveries')
  const health = db
    .select({ since: sql<string | Date | null>`since` })
    .from(sql`${callOf('note_stream_health', HEALTH)} as since`)
    .prepare('note_stream_health')
  const replay = db
    .select({ replayed: sql<number>`replayed` })
    .from(sql`${callOf('replay_refused', REPLAY)} as replayed`)
    .prepare('replay_refused')
  const fill = db
    .select({ devices: sql<number | null>`devices`, last: sql<string | null>`last` })
    .from(sql`${callOf('fill_stream', FILL)} as filled(devices, last)`)
    .prepare('fill_stream')
  return {
    ...prepareReads(db),
    async fillStream({ streamId, after, limit, now }) {
      const { devices, last } = onlyRow(
        await fill.execute({
          ...{ p_stream_id: streamId, p_after: after, p_at: now.toISOString() },
          p_event_ids: encodeJson(Array.from({ length: limit }, () => newRecordId(now))),
        }),
      )
      return devices === null ? null : { devices, last: last ?? after }
    },
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
    async replayRefused({ streamId, deliveries, by, now }) {
      const named = deliveries.map(({ deviceId, position }) => ({ device_id: deviceId, position }))
      const { replayed } = onlyRow(
        await replay.execute({
          ...{ p_stream_id: streamId, p_deliveries: encodeJson(named), p_at: now.toISOString() },
          ...{ p_by: encodeText(by), p_audit_id: newRecordId(now) },
        }),
      )
      return replayed
    },
  }
}

function prepareReads(
  db: Database,
): Pick<
  Deliveries,
  | 'dueDeliveries'
  | 'waitingDeliveries'
  | 'nextDeliveryAt'
  | 'refusedDeliveries'
  | 'refusedInLanes'
  | 'nextStreamWithDeliveries'
  | 'deliveriesOf'
  | 'countDeliveries'
> {
  const { deviceId, streamId, position, eventId, createdAt, attempts, delivered } = delivery
  const { failure, refusedAt, nextAttemptAt } = delivery
  const earlier = alias(delivery, 'earlier')
  const ofStream = eq(streamId, sql.placeholder('streamId'))
  const isFirst = notExists(
    db
      .select({ one: sql`1` })
      .from(earlier)
      .where(
        and(
          eq(earlier.deviceId, deviceId),
          eq(earlier.streamId, streamId),
          sql`${earlier.position} < ${position}`,
          isNull(earlier.refusedAt),
        ),
      ),
  )
  const what = { deviceId, streamId, position, eventId, createdAt }
  const whole = {
    ...{ ...what, delivered, attempts },
    ...{ type: outbox.type, payload: outbox.payload, owner: device.owner },
    ...{ entraDeviceId: device.entraDeviceId, serial: device.serial },
    ...{ verdict: device.announcedVerdict, enrolment: device.enrolment },
    isExcluded: exists(
      db
        .select({ one: sql`1` })
        .from(streamExclusion)
        .where(
          and(
            eq(streamExclusion.streamId, streamId),
            sql`${streamExclusion.deviceId} in ('', ${deviceId})`,
            sql`${streamExclusion.owner} in ('', coalesce(${device.owner}, ''))`,
          ),
        ),
    ).mapWith(Boolean),
  }
  const selectWhole = () =>
    db
      .select(whole)
      .from(delivery)
      .innerJoin(outbox, OF_EVENT)
      .leftJoin(device, eq(device.deviceId, deviceId))
  const named = selectWhole()
    .where(
      and(
        isNull(refusedAt),
        sql`(${deviceId}, ${streamId}, ${position}) in (
          select x.device_id, x.stream_id, x.position
          from jsonb_to_recordset(${sql.placeholder('names')}::jsonb)
            as x(device_id text, stream_id text, position bigint))`,
      ),
    )
    .prepare('waiting_deliveries')
  const due = selectWhole()
    .where(and(ofStream, isNull(refusedAt), lte(nextAttemptAt, sql.placeholder('now')), isFirst))
    .orderBy(asc(nextAttemptAt))
    .limit(sql.placeholder('limit'))
    .prepare('due_deliveries')
  const next = db
    .select({ at: nextAttemptAt })
    .from(delivery)
    .where(and(ofStream, isNull(refusedAt)))
    .orderBy(asc(nextAttemptAt))
    .limit(1)
    .prepare('next_delivery')
  const refused = db
    .select({ ...what, refusedAt, failure, type: outbox.type, payload: outbox.payload })
    .from(delivery)
    .innerJoin(outbox, OF_EVENT)
    .where(and(ofStream, isNotNull(refusedAt)))
    .orderBy(asc(refusedAt))
    .limit(sql.placeholder('limit'))
    .prepare('refused_deliveries')
  const nextStream = (isRefused: SQL) =>
    db
      .select({ streamId })
      .from(delivery)
      .where(and(gt(streamId, sql.placeholder('after')), isRefused))
      .orderBy(asc(streamId))
      .limit(1)
  const nextWaiting = nextStream(isNull(refusedAt)).prepare('next_stream_waiting')
  const nextRefused = nextStream(isNotNull(refusedAt)).prepare('next_stream_refused')
  const inLanes = db
    .select({ deviceId, streamId, position })
    .from(delivery)
    .where(
      and(
        ofStream,
        isNotNull(refusedAt),
        sql`${deviceId} = any(${sql.placeholder('lanes')}::text[])`,
      ),
    )
    .prepare('refused_in_lanes')
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
    async countDeliveries(id) {
      const waiting = onlyRow(await countWaiting.execute({ streamId: id }))
      const refused = onlyRow(await countRefused.execute({ streamId: id }))
      return { waiting: waiting.count, refused: refused.count }
    },
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
    dueDeliveries: async (query) => (await due.execute(query)).map(dueOf),
    async refusedInLanes({ streamId: id, lanes }) {
      if (lanes.length === 0) return []
      const texts = `{${lanes.map((lane) => `"${lane}"`).join()}}`
      return inLanes.execute({ streamId: id, lanes: texts })
    },
    async waitingDeliveries(names) {
      if (names.length === 0) return []
      const rows = names.map(({ deviceId: device_id, streamId: stream_id, position }) => {
        return { device_id, stream_id, position }
      })
      return (await named.execute({ names: encodeJson(rows) })).map(dueOf)
    },
    nextDeliveryAt: async (id) => (await next.execute({ streamId: id })).at(0)?.at ?? null,
    async refusedDeliveries(query) {
      const rows = await refused.execute(query)
      return rows.flatMap(({ refusedAt: at, ...row }) => {
        return at === null ? [] : [{ ...row, refusedAt: at }]
      })
    },
  }
}

/** Columns of an outer join, which are null together where there is no device. */
function dueOf<
  T extends {
    readonly entraDeviceId: string | null
    readonly serial: string | null
    readonly verdict: Verdict | null
    readonly enrolment: Enrolment | null
  },
>({
  entraDeviceId,
  serial,
  verdict,
  enrolment,
  ...row
}: T): Omit<T, 'entraDeviceId' | 'serial' | 'verdict' | 'enrolment'> & {
  readonly state: DueDelivery['state']
} {
  const isKnown = verdict !== null && enrolment !== null
  return { ...row, state: isKnown ? { entraDeviceId, serial, verdict, enrolment } : null }
}
