import { and, asc, eq, gte, isNull, lt, or, sql } from 'drizzle-orm'
import type { Tile, TilePlace } from '../../audit/tiles.ts'
import { fromHex, toHex } from '../../base/encoding.ts'
import { type Database, onlyRow, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { auditLeaf, auditLog, auditPending, auditTile } from '../schema/audit-schema.ts'
import { audit, SERVICE } from '../schema/system-schema.ts'
import type { AuditEntry, AuditPosition } from './audit-log.ts'

export type { AuditPosition } from './audit-log.ts'

/** The Merkle tree over the audit log. */
export type AuditTree = {
  /** What the tree is at. */
  readonly auditLog: () => Promise<AuditLogState>
  /** Entries that have no leaf yet, the oldest first. */
  readonly waitingAuditEntries: (limit: number) => Promise<readonly AuditEntry[]>
  /** Those of before `begunAt` begin to wait for their leaves: some at each call, until it answers 0. */
  readonly adoptAuditEntries: (limit: number) => Promise<number>
  /** Tiles, those of them that are there. */
  readonly auditTiles: (places: readonly TilePlace[]) => Promise<readonly Tile[]>
  /**
   * Appends the leaves of entries that wait, in this order, and the checkpoint over all of them. `superseded`:
   * the tree is not of `size` any more, and nothing was written.
   */
  readonly appendAuditLog: (input: AuditAppend) => Promise<'applied' | 'superseded'>
  /** Leaves from `begin` on and before `end` whose entries are not past their retention. */
  readonly auditLeaves: (begin: number, end: number) => Promise<readonly AuditLeaf[]>
  /**
   * Looks at so many entries after a place, the oldest first, for those that are outside of the first `size`
   * leaves.
   */
  readonly auditEntriesOutside: (input: {
    readonly after: AuditPosition | undefined
    readonly size: number
    readonly limit: number
  }) => Promise<AuditEntriesOutside>
  /** Entries that waited for their leaves and are gone; a few of them. */
  readonly lostAuditEntries: () => Promise<readonly AuditPosition[]>
  /** Whether the role that this signs in as could change or remove entries. */
  readonly mayChangeAudit: () => Promise<boolean>
  /** Writes an entry for what changes nothing that the database holds. */
  readonly noteAudit: (input: AuditNote) => Promise<'applied'>
}

export type AuditLogState = {
  /** `null` until the first checkpoint is signed. */
  readonly origin: string | null
  readonly size: number
  /** A signed note over `size`. */
  readonly checkpoint: string | null
  readonly signedAt: Date | null
  /** Whether the entries that were there before the tree have begun to wait. */
  readonly isAdopted: boolean
}

export type AuditAppend = {
  /** Of the tree until now. */
  readonly size: number
  readonly origin: string
  readonly entries: readonly (AuditPosition & { readonly deviceId: string })[]
  /** Those that are new or longer. */
  readonly tiles: readonly Tile[]
  readonly checkpoint: string
  readonly now: Date
}

/** A leaf whose entry should be there; `null` where it is not. */
export type AuditLeaf = { readonly index: number; readonly entry: AuditEntry | null }

export type AuditEntriesOutside = {
  /** `waits`: it is to get a leaf, or has a later one. */
  readonly entries: readonly { readonly entry: AuditEntry; readonly waits: boolean }[]
  /** Where to go on; `null` after the last one. */
  readonly next: AuditPosition | null
}

export type AuditNote = {
  readonly deviceId?: string | undefined
  readonly by: string
  readonly action: string
  readonly detail: Json
  readonly now: Date
}

const APPEND = ['p_size', 'p_origin', 'p_rows', 'p_tiles', 'p_checkpoint', 'p_at'] as const
const NOTE = ['p_device_id', 'p_at', 'p_by', 'p_action', 'p_detail', 'p_audit_id'] as const

/** What joins a row with its place in the tree, or with the list of those that wait. */
const isLeafOf = and(
  eq(audit.at, auditLeaf.at),
  eq(audit.auditId, auditLeaf.auditId),
  eq(audit.deviceId, auditLeaf.deviceId),
)
const isWaiting = and(
  eq(audit.at, auditPending.at),
  eq(audit.auditId, auditPending.auditId),
  eq(audit.deviceId, auditPending.deviceId),
)

const LOST_LISTED = 100

export function prepareAuditTree(db: Database): AuditTree {
  const append = prepareChange<(typeof APPEND)[number], 'applied' | 'superseded'>(
    db,
    'append_audit_log',
    APPEND,
  )
  const adopt = prepareChange<'p_limit', number>(db, 'adopt_audit_rows', ['p_limit'])
  const note = prepareChange<(typeof NOTE)[number], 'applied'>(db, 'note_audit', NOTE)
  return {
    ...prepareReads(db),
    adoptAuditEntries: (limit) => adopt({ p_limit: limit }),
    appendAuditLog: ({ size, origin, entries, tiles, checkpoint, now }) =>
      append({
        p_size: size,
        p_origin: encodeText(origin),
        p_rows: encodeJson(
          entries.map((one) => ({ device_id: one.deviceId, at: one.at, audit_id: one.auditId })),
        ),
        p_tiles: encodeJson(tiles.map((tile) => ({ ...tile, hashes: toHex(tile.hashes) }))),
        p_checkpoint: encodeText(checkpoint),
        p_at: now.toISOString(),
      }),
    noteAudit: ({ deviceId = SERVICE, by, action, detail, now }) =>
      note({
        p_device_id: encodeText(deviceId),
        p_at: now.toISOString(),
        p_by: encodeText(by),
        p_action: encodeText(action),
        p_detail: encodeJson(detail),
        p_audit_id: newRecordId(now),
      }),
  }
}

function prepareReads(
  db: Database,
): Omit<AuditTree, 'adoptAuditEntries' | 'appendAuditLog' | 'noteAudit'> {
  return {
    auditLog: async () => {
      const { origin, size, checkpoint, signedAt, isAdopted } = auditLog
      return onlyRow(
        await db.select({ origin, size, checkpoint, signedAt, isAdopted }).from(auditLog),
      )
    },
    async waitingAuditEntries(limit) {
      const rows = await db
        .select({ entry: audit })
        .from(auditPending)
        .innerJoin(audit, isWaiting)
        .orderBy(asc(auditPending.at), asc(auditPending.auditId))
        .limit(limit)
      return rows.map(({ entry }) => entry)
    },
    async auditTiles(places) {
      if (places.length === 0) return []
      const wanted = places.map(({ level, tile }) =>
        and(eq(auditTile.level, level), eq(auditTile.tile, tile)),
      )
      const { level, tile, hashes } = auditTile
      // As text: not every connection hands over bytes.
      const rows = await db
        .select({ level, tile, hashes: sql<string>`encode(${hashes}, 'hex')` })
        .from(auditTile)
        .where(or(...wanted))
      return rows.map((row) => ({ ...row, hashes: fromHex(row.hashes) ?? new Uint8Array() }))
    },
    async auditLeaves(begin, end) {
      return await db
        .select({ index: auditLeaf.position, entry: audit })
        .from(auditLeaf)
        .leftJoin(audit, isLeafOf)
        .where(and(gte(auditLeaf.position, begin), lt(auditLeaf.position, end)))
        .orderBy(asc(auditLeaf.position))
    },
    async auditEntriesOutside({ after, size, limit }) {
      const rows = await db
        .select({ entry: audit, position: auditLeaf.position, waiting: auditPending.auditId })
        .from(audit)
        .leftJoin(auditLeaf, isLeafOf)
        .leftJoin(auditPending, isWaiting)
        .where(
          after &&
            and(
              gte(audit.at, after.at),
              sql`(${audit.at}, ${audit.auditId}) > (${after.at.toISOString()}::timestamptz, ${after.auditId}::uuid)`,
            ),
        )
        .orderBy(asc(audit.at), asc(audit.auditId))
        .limit(limit)
      const last = rows.length < limit ? undefined : rows.at(-1)?.entry
      return {
        entries: rows
          .filter(({ position }) => position === null || position >= size)
          .map(({ entry, position, waiting }) => {
            return { entry, waits: waiting !== null || position !== null }
          }),
        next: last === undefined ? null : { at: last.at, auditId: last.auditId },
      }
    },
    async mayChangeAudit() {
      const [row] = await db
        .select({ may: sql<boolean>`may` })
        .from(sql`has_table_privilege('audit', 'UPDATE, DELETE, TRUNCATE') as may`)
      return row?.may !== false
    },
    async lostAuditEntries() {
      return await db
        .select({ at: auditPending.at, auditId: auditPending.auditId })
        .from(auditPending)
        .leftJoin(audit, isWaiting)
        .where(isNull(audit.auditId))
        .limit(LOST_LISTED)
    },
  }
}
