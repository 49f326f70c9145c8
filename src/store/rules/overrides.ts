import { and, desc, isNull, lte } from 'drizzle-orm'
import {
  MAX_OVERRIDES,
  type Override,
  type OverrideAction,
  type OverrideTarget,
} from '../../rollout/override.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeText } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { override } from '../schema/steering-schema.ts'

/** Pins and allowances. Each change writes its audit row and its event, or nothing. */
export type Overrides = {
  /** `too_many`: at most `MAX_OVERRIDES` at once. */
  readonly createOverride: (
    input: OverrideToCreate,
  ) => Promise<'applied' | 'too_many' | 'document_unknown' | 'device_unknown'>
  readonly endOverride: (input: {
    readonly overrideId: string
    readonly by: string
    readonly reason: string
    readonly now: Date
  }) => Promise<'applied' | 'unchanged' | 'override_unknown'>
  /** Those whose time is over and that nobody ended. */
  readonly expiredOverrides: (now: Date) => Promise<readonly Override[]>
  /** Those that nobody ended, expired ones among them; the newest first. */
  readonly listOverrides: (limit: number) => Promise<readonly Override[]>
}

export type OverrideToCreate = {
  readonly overrideId: string
  readonly target: OverrideTarget
  readonly what: OverrideAction
  readonly reason: string
  readonly author: string
  readonly expiresAt: Date
  readonly now: Date
}

const CREATE = [
  'p_override_id',
  'p_action',
  'p_target_kind',
  'p_target',
  'p_kind',
  'p_hash',
  'p_reason',
  'p_author',
  'p_at',
  'p_expires_at',
  'p_most',
  'p_audit_id',
  'p_event_id',
] as const
const END = ['p_override_id', 'p_by', 'p_reason', 'p_at', 'p_audit_id', 'p_event_id'] as const

export function prepareOverrides(db: Database): Overrides {
  const create = prepareChange<
    (typeof CREATE)[number],
    Awaited<ReturnType<Overrides['createOverride']>>
  >(db, 'create_override', CREATE)
  const end = prepareChange<(typeof END)[number], 'applied' | 'unchanged' | 'override_unknown'>(
    db,
    'end_override',
    END,
  )
  return {
    createOverride: ({ what, ...input }) =>
      create({
        p_override_id: input.overrideId,
        p_action: what.action,
        p_target_kind: input.target.kind,
        p_target: encodeText(input.target.name),
        p_kind: what.action === 'pin' ? what.kind : null,
        p_hash: what.action === 'pin' ? what.hash : null,
        p_reason: encodeText(input.reason),
        p_author: encodeText(input.author),
        p_at: input.now.toISOString(),
        p_expires_at: input.expiresAt.toISOString(),
        p_most: MAX_OVERRIDES,
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    endOverride: (input) =>
      end({
        p_override_id: input.overrideId,
        p_by: encodeText(input.by),
        p_reason: encodeText(input.reason),
        p_at: input.now.toISOString(),
        p_audit_id: newRecordId(input.now),
        p_event_id: newRecordId(input.now),
      }),
    async expiredOverrides(now) {
      const rows = await db
        .select()
        .from(override)
        .where(and(isNull(override.endedAt), lte(override.expiresAt, now)))
      return rows.map(toOverride)
    },
    async listOverrides(limit) {
      const rows = await db
        .select()
        .from(override)
        .where(isNull(override.endedAt))
        .orderBy(desc(override.createdAt), desc(override.overrideId))
        .limit(limit)
      return rows.map(toOverride)
    },
  }
}

export function toOverride(row: typeof override.$inferSelect): Override {
  const { overrideId, targetKind, target, action, kind, hash } = row
  const { reason, author, createdAt, expiresAt } = row
  const names = { overrideId, target: { kind: targetKind, name: target }, reason, author }
  const times = { createdAt, expiresAt }
  // A constraint of the table makes both absent for an allowance, and for nothing else.
  if (action === 'allow' || kind === null || hash === null) {
    return { ...names, ...times, action: 'allow' }
  }
  return { ...names, ...times, action, kind, hash }
}
