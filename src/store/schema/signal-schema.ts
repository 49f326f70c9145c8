import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { DeviceEventType } from '../../signals/event-types.ts'
import type { StreamStatus } from '../../signals/stream.ts'
import type { SubjectForm } from '../../signals/subject.ts'
import type { Json } from '../json.ts'
import { asciiText, instant } from './columns.ts'

/**
 * Where relying parties want to be told (SSF 1.0 §8.1.1). There are few; a distributed database keeps all of
 * them on every machine, since each change of a device looks at them.
 */
export const stream = pgTable(
  'stream',
  {
    streamId: asciiText('stream_id').primaryKey(),
    clientId: asciiText('client_id').notNull(),
    audience: text('audience').notNull(),
    /** Where events are pushed to; null where they are polled. */
    pushUrl: text('push_url'),
    /** The value of the header `Authorization` of a push, sealed with the master secret. */
    sealedAuthorization: text('sealed_authorization'),
    /**
     * Where alarms are posted to, for a destination of these: it has no events about devices. What it wants to hear
     * of are names of alarms then, or all of them where there are none.
     */
    webhookUrl: text('webhook_url'),
    /** The secrets that sign what is posted there, sealed with the master secret. */
    sealedSecrets: text('sealed_secrets'),
    eventsRequested: text('events_requested').array().notNull(),
    eventsDelivered: text('events_delivered').array().$type<DeviceEventType[]>().notNull(),
    description: text('description'),
    subjectForm: text('subject_form').$type<SubjectForm>().notNull(),
    status: text('status').$type<StreamStatus>().notNull(),
    statusReason: text('status_reason'),
    /** Counts the changes of the stream: who changes one says which it saw. */
    revision: integer('revision').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    // How deliveries go, kept by whoever delivers.
    deliveredAt: instant('delivered_at'),
    failingSince: instant('failing_since'),
    failure: text('failure'),
    retryAt: instant('retry_at'),
    /** When its receiver last asked for a verification. */
    verificationAt: instant('verification_at'),
  },
  (table) => [
    index('stream_client').on(table.clientId),
    check('stream_status', sql`${table.status} in ('enabled', 'paused', 'disabled')`),
    check(
      'stream_subject_form',
      sql`${table.subjectForm} in ('device', 'user', 'complex', 'okta')`,
    ),
    check(
      'stream_authorization_pushed',
      sql`${table.sealedAuthorization} is null or ${table.pushUrl} is not null`,
    ),
    check(
      'stream_webhook_whole',
      sql`num_nulls(${table.webhookUrl}, ${table.sealedSecrets}) in (0, 2)`,
    ),
    check(
      'stream_failing_whole',
      sql`num_nulls(${table.failingSince}, ${table.failure}, ${table.retryAt}) in (0, 3)`,
    ),
  ],
)

/**
 * Subjects of which a receiver wants to hear nothing (SSF 1.0 §8.1.3.3): a device, an owner, or, with both, a
 * device while it is that owner's. Empty stands for any.
 */
export const streamExclusion = pgTable(
  'stream_exclusion',
  {
    streamId: asciiText('stream_id').notNull(),
    deviceId: asciiText('device_id').notNull(),
    owner: text('owner').notNull(),
    excludedAt: instant('excluded_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.streamId, table.deviceId, table.owner] }),
    check('stream_exclusion_some', sql`${table.deviceId} <> '' or ${table.owner} <> ''`),
  ],
)

/**
 * What is still to be delivered: one row for each event in the outbox and each stream that is to have it,
 * written with the event. Those of one stream and one device are a lane, in which `position` is the order. A
 * row goes when its stream has the event; one that was refused stays until an administrator has it sent
 * again, and holds up nothing.
 */
export const delivery = pgTable(
  'delivery',
  {
    deviceId: asciiText('device_id').notNull(),
    streamId: asciiText('stream_id').notNull(),
    position: bigint('position', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    eventId: uuid('event_id').notNull(),
    createdAt: instant('created_at').notNull(),
    /** Of the events that a change comes to, those that the stream has already. */
    delivered: text('delivered').array().$type<DeviceEventType[]>().notNull().default([]),
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: instant('next_attempt_at').notNull(),
    refusedAt: instant('refused_at'),
    /** Why the last try came to nothing, in the receiver's words where it had any. */
    failure: text('failure'),
  },
  (table) => [
    primaryKey({ columns: [table.deviceId, table.streamId, table.position] }),
    index('delivery_due')
      .on(table.streamId, table.nextAttemptAt)
      .where(sql`${table.refusedAt} is null`),
    index('delivery_refused')
      .on(table.streamId, table.refusedAt)
      .where(sql`${table.refusedAt} is not null`),
    index('delivery_event').on(table.deviceId, table.eventId),
  ],
)

/**
 * What is wrong now and was told, one row for each thing that it is wrong of. The row goes with the news that it is
 * over; what was tells the audit.
 */
export const alarm = pgTable(
  'alarm',
  {
    name: asciiText('name').notNull(),
    /** What it is about; empty for the whole deployment. */
    subject: text('subject').notNull(),
    level: text('level').notNull(),
    since: instant('since').notNull(),
    /** Until when it stands though nobody finds it any more; null for what each round looks for. */
    until: instant('until'),
    detail: jsonb('detail').$type<Json>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.subject] })],
)
