import { sql } from 'drizzle-orm'
import {
  check,
  customType,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

// The fleet as a list of statuses (Token Status List), in the form that the finished list is built from.
// Nothing here is read or written when a decision is made.

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

/**
 * How many devices of each ring have a place in the list: first attestations in one ring wait for each
 * other, and not for those in other rings.
 */
export const statusPlace = pgTable(
  'status_place',
  {
    ring: smallint('ring').primaryKey(),
    next: integer('next').notNull(),
  },
  (table) => [check('status_place_ring', sql`${table.ring} between 0 and 99`)],
)

/** So many statuses of the list, as they lie in it, are one row; none where no device was listed yet. */
export const statusChunk = pgTable('status_chunk', {
  chunk: integer('chunk').primaryKey(),
  statuses: bytea('statuses').notNull(),
})

/**
 * Devices that are listed as compliant, by the minute in which their evidence ends as far as is known:
 * then they are looked at again. A device may be in several rows.
 */
export const statusDue = pgTable(
  'status_due',
  {
    dueAt: instant('due_at').notNull(),
    batch: uuid('batch').notNull(),
    deviceIds: text('device_ids').array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.dueAt, table.batch] })],
)

/** Places of devices that are there no more, whose last status is still to be written. */
export const retiredPlace = pgTable('retired_place', {
  place: integer('place').primaryKey(),
})

/** One row: how often chunks were written, and the list that was signed last. */
export const statusList = pgTable(
  'status_list',
  {
    id: smallint('id').primaryKey(),
    revision: integer('revision').notNull(),
    /** A compact JWS; null until there is one, together with its time. */
    token: text('token'),
    issuedAt: instant('issued_at'),
  },
  (table) => [
    check('status_list_one_row', sql`${table.id} = 1`),
    check('status_list_whole', sql`num_nulls(${table.token}, ${table.issuedAt}) in (0, 2)`),
  ],
)
