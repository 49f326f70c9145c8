import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import { asciiText, binary, instant } from './columns.ts'

/*
 * The Merkle tree over the rows of `audit`. Functions alone write these tables, and add to them: hashes
 * stay when rows are gone.
 */

/** Rows of `audit` that have no place in the tree yet. A trigger of `audit` writes them. */
export const auditPending = pgTable(
  'audit_pending',
  {
    at: instant('at').notNull(),
    auditId: uuid('audit_id').notNull(),
    deviceId: asciiText('device_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.at, table.auditId, table.deviceId] })],
)

/** Which row of `audit` each leaf is the hash of, for as long as the row is kept. */
export const auditLeaf = pgTable(
  'audit_leaf',
  {
    /** From 0. */
    position: bigint('position', { mode: 'number' }).primaryKey(),
    at: instant('at').notNull(),
    auditId: uuid('audit_id').notNull(),
    deviceId: asciiText('device_id').notNull(),
  },
  (table) => [unique('audit_leaf_row').on(table.at, table.auditId, table.deviceId)],
)

/** The hashes of the tree, as C2SP tlog-tiles cuts it: 1 to 256 of 32 bytes in each tile. */
export const auditTile = pgTable(
  'audit_tile',
  {
    level: smallint('level').notNull(),
    tile: bigint('tile', { mode: 'number' }).notNull(),
    hashes: binary('hashes').notNull(),
  },
  (table) => [primaryKey({ columns: [table.level, table.tile] })],
)

/** What the tree is at, in its one row. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: integer('id').primaryKey(),
    /** The name of the log in its checkpoints; null until the first one is signed. */
    origin: text('origin'),
    size: bigint('size', { mode: 'number' }).notNull(),
    /** A signed note over `size`. */
    checkpoint: text('checkpoint'),
    signedAt: instant('signed_at'),
    /** When rows began to be noted in `audit_pending`. Those that were there before are adopted. */
    begunAt: instant('begun_at').notNull(),
    adoptedAt: instant('adopted_at'),
    adoptedId: uuid('adopted_id'),
    isAdopted: boolean('is_adopted').notNull().default(false),
  },
  (table) => [check('audit_log_one_row', sql`${table.id} = 1`)],
)
