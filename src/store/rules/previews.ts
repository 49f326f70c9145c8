import { and, eq, sql } from 'drizzle-orm'
import type { DocumentHash } from '../../base/document-hash.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { type Database, prepareChange } from '../drivers/database.ts'
import { encodeJson, encodeText, type Json } from '../json.ts'
import { newRecordId } from '../record-id.ts'
import { preview } from '../schema/steering-schema.ts'

/** What previews of documents over the recorded fleet found: the last one of each document. */
export type Previews = {
  /** Takes the place of the one before, unless that one is newer. */
  readonly recordPreview: (input: StoredPreview) => Promise<'applied' | 'unchanged'>
  readonly preview: (kind: DocumentKind, hash: string) => Promise<StoredPreview | null>
}

export type StoredPreview = {
  readonly kind: DocumentKind
  readonly hash: DocumentHash
  /** Of the documents that were in force, which it was compared with. */
  readonly policyHash: DocumentHash
  readonly referenceValuesHash: DocumentHash
  readonly at: Date
  readonly by: string
  readonly summary: Json
}

const RECORD = [
  'p_kind',
  'p_hash',
  'p_policy_hash',
  'p_reference_values_hash',
  'p_at',
  'p_by',
  'p_summary',
  'p_audit_id',
] as const

export function preparePreviews(db: Database): Previews {
  const record = prepareChange<(typeof RECORD)[number], 'applied' | 'unchanged'>(
    db,
    'record_preview',
    RECORD,
  )
  return {
    recordPreview: (input) =>
      record({
        p_kind: input.kind,
        p_hash: input.hash,
        p_policy_hash: input.policyHash,
        p_reference_values_hash: input.referenceValuesHash,
        p_at: input.at.toISOString(),
        p_by: encodeText(input.by),
        p_summary: encodeJson(input.summary),
        p_audit_id: newRecordId(input.at),
      }),
    async preview(kind, hash) {
      const [row] = await db
        .select()
        .from(preview)
        .where(and(eq(preview.kind, kind), sql`${preview.hash} = ${hash}`))
      return row ?? null
    },
  }
}
