import { and, asc, eq, exists, isNull, lte, notExists, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Enrolment, Verdict } from '../../access/trust-record.ts'
import type { DeviceEventType } from '../../signals/event-types.ts'
import type { Database } from '../drivers/database.ts'
import { encodeJson, type Json } from '../json.ts'
import { device } from '../schema/device-schema.ts'
import { delivery, streamExclusion } from '../schema/signal-schema.ts'
import { outbox } from '../schema/system-schema.ts'

/** What waits to be delivered. Each row leaves with the event that it is of (`announce_change`). */
export type DueDeliveries = {
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

/** The event that a delivery is of. */
export const OF_EVENT = and(
  eq(outbox.deviceId, delivery.deviceId),
  eq(outbox.eventId, delivery.eventId),
)

export function prepareDueDeliveries(db: Database): DueDeliveries {
  const { streamId, refusedAt, nextAttemptAt } = delivery
  const ofStream = eq(streamId, sql.placeholder('streamId'))
  const named = selectWhole(db)
    .where(
      and(
        isNull(refusedAt),
        sql`(${delivery.deviceId}, ${streamId}, ${delivery.position}) in (
          select x.device_id, x.stream_id, x.position
          from jsonb_to_recordset(${sql.placeholder('names')}::jsonb)
            as x(device_id text, stream_id text, position bigint))`,
      ),
    )
    .prepare('waiting_deliveries')
  const due = selectWhole(db)
    .where(
      and(
        ofStream,
        isNull(refusedAt),
        lte(nextAttemptAt, sql.placeholder('now')),
        isFirstOfLane(db),
      ),
    )
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
  return {
    dueDeliveries: async (query) => (await due.execute(query)).map(dueOf),
    async waitingDeliveries(names) {
      if (names.length === 0) return []
      const rows = names.map(({ deviceId: device_id, streamId: stream_id, position }) => {
        return { device_id, stream_id, position }
      })
      return (await named.execute({ names: encodeJson(rows) })).map(dueOf)
    },
    nextDeliveryAt: async (id) => (await next.execute({ streamId: id })).at(0)?.at ?? null,
  }
}

/** Holds of a delivery before which none waits in its lane; what was refused holds up nothing. */
function isFirstOfLane(db: Database) {
  const earlier = alias(delivery, 'earlier')
  return notExists(
    db
      .select({ one: sql`1` })
      .from(earlier)
      .where(
        and(
          eq(earlier.deviceId, delivery.deviceId),
          eq(earlier.streamId, delivery.streamId),
          sql`${earlier.position} < ${delivery.position}`,
          isNull(earlier.refusedAt),
        ),
      ),
  )
}

/** Deliveries with their events, and with what is known of the device now. */
function selectWhole(db: Database) {
  const { deviceId, streamId, position, eventId, createdAt, attempts, delivered } = delivery
  const whole = {
    ...{ deviceId, streamId, position, eventId, createdAt, delivered, attempts },
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
  return db
    .select(whole)
    .from(delivery)
    .innerJoin(outbox, OF_EVENT)
    .leftJoin(device, eq(device.deviceId, deviceId))
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
