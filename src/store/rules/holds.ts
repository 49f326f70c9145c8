import { and, desc, isNull, lte } from 'drizzle-orm'
import { type Cause, type Hold, keyOfCause } from '../../rollout/hold.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { isBefore, type ListPosition } from '../list-position.ts'
import { newRecordId } from '../record-id.ts'
import { hold } from '../schema/steering-schema.ts'

/** Holds of causes that many devices met at once. Each change writes its audit row and its event. */
export type Holds = {
  /**
   * `unchanged`: the cause is held already. `used_up`: it was held less than `restMs` ago.
   * `too_many`: `most` are open.
   */
  readonly beginHold: (
    input: HoldToBegin,
  ) => Promise<'applied' | 'lengthened' | 'unchanged' | 'used_up' | 'too_many'>
  readonly endHold: (input: {
    readonly holdId: string
    readonly by: string
    readonly reason: string
    readonly now: Date
  }) => Promise<'applied' | 'unchanged' | 'hold_unknown'>
  /** Those whose time is over and that nobody ended. */
  readonly expiredHolds: (now: Date) => Promise<readonly Hold[]>
  /** The newest first, ended ones among them. */
  readonly listHolds: (limit: number, before?: ListPosition) => Promise<readonly StoredHold[]>
}

export type StoredHold = Hold & { readonly endedAt: Date | null; readonly evidence: Json }

export type HoldToBegin = {
  readonly holdId: string
  readonly cause: Cause
  readonly covers: Date
  readonly until: Date
  /** What it was begun for: counts and examples. */
  readonly evidence: Json
  /** Whether an open one goes on until then. */
  readonly lengthen: boolean
  readonly most: number
  readonly restMs: number
  readonly now: Date
}

const BEGIN = [
  'p_hold_id',
  'p_cause_key',
  'p_cause',
  'p_covers',
  'p_since',
  'p_until',
  'p_evidence',
  'p_lengthen',
  'p_most',
  'p_rested_since',
  'p_audit_id',
  'p_event_id',
] as const
const END = ['p_hold_id', 'p_by', 'p_reason', 'p_at', 'p_audit_id', 'p_event_id'] as const

export function prepareHolds(db: Database): Holds {
  const begin = prepareChange<(typeof BEGIN)[number], Awaited<ReturnType<Holds['beginHold']>>>(
    db,
    'begin_hold',
    BEGIN,
  )
  const end = prepareChange<(typeof END)[number], 'applied' | 'unchanged' | 'hold_unknown'>(
    db,
    'end_hold',
    END,
  )
  return {
    beginHold: (input) =>
      begin({
        p_hold_id: input.holdId,
        p_cause_key: encodeText(keyOfCause(input.cause)),
        p_cause: encodeJson(input.cause),
        p_covers: input.covers.toISOString(),
        p_since: input.now.toISOString(),
        p_until: input.until.toISOString(),
        p_evidence: encodeJson(input.evidence),
        p_lengthen: input.lengthen,
        p_most: input.most,
        p_rested_since: new Date(input.now.getTime() - input.restMs).toISOString(),
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    endHold: (input) =>
      end({
        p_hold_id: input.holdId,
        p_by: encodeText(input.by),
        p_reason: encodeText(input.reason),
        p_at: input.now.toISOString(),
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    async expiredHolds(now) {
      const rows = await db
        .select()
        .from(hold)
        .where(and(isNull(hold.endedAt), lte(hold.until, now)))
      return rows.map(toHold)
    },
    async listHolds(limit, before) {
      const rows = await db
        .select()
        .from(hold)
        .where(before && isBefore(hold.since, hold.holdId, before))
        .orderBy(desc(hold.since), desc(hold.holdId))
        .limit(limit)
      return rows.map((row) => ({ ...toHold(row), endedAt: row.endedAt, evidence: row.evidence }))
    },
  }
}

export function toHold({ holdId, cause, covers, since, until }: typeof hold.$inferSelect): Hold {
  return { holdId, cause, covers, since, until }
}
