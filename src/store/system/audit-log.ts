import { and, desc, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm'
import { namesOfDevice } from '../devices/read-links.ts'
import { storableId } from '../devices/trust-records.ts'
import type { Database } from '../drivers/database.ts'
import { encodeText, type Json } from '../json.ts'
import { audit } from '../schema/system-schema.ts'

/** What was changed, by whom and when. Written with each change; nothing here writes. */
export type AuditLog = {
  /** Entries of a time, the newest first. */
  readonly auditEntries: (query: AuditQuery) => Promise<AuditPage>
}

export type AuditQuery = {
  /** By its id or any further name of it: entries under all of them. */
  readonly deviceId?: string | undefined
  /** Id of a client, `cli:USER@HOST`, id of a device, or the name of a job. */
  readonly actor?: string | undefined
  /** `device.quarantined` and the like. */
  readonly action?: string | undefined
  /** Then or later. */
  readonly since: Date
  /** Before it. */
  readonly until: Date
  readonly limit: number
  /** `nextBefore` of the page before. */
  readonly before?: AuditPosition | undefined
}

/** Where an entry stands: no two are at the same place. */
export type AuditPosition = { readonly at: Date; readonly auditId: string }

export type AuditPage = {
  readonly entries: readonly AuditEntry[]
  readonly nextBefore: AuditPosition | null
}

export type AuditEntry = AuditPosition & {
  /** `service` where it concerns no device. */
  readonly deviceId: string
  readonly actor: string
  readonly action: string
  readonly detail: Json
  /** From where and by which request it came (`AuditedRequest`); `null` where nothing is known of it. */
  readonly request: Json
}

/** The most entries of one page. */
export const AUDIT_PAGE_MOST = 1000

export function prepareAuditLog(db: Database): AuditLog {
  return {
    async auditEntries({ limit, ...query }) {
      const { deviceId } = query
      const names =
        deviceId === undefined ? undefined : await namesOfDevice(db, storableId(deviceId))
      const rows = await db
        .select()
        .from(audit)
        .where(conditionOf(query, names))
        .orderBy(desc(audit.at), desc(audit.auditId))
        .limit(limit + 1)
      const entries = rows.slice(0, limit)
      const last = entries.at(-1)
      const isLast = rows.length === entries.length || last === undefined
      return { entries, nextBefore: isLast ? null : { at: last.at, auditId: last.auditId } }
    },
  }
}

function conditionOf(
  { actor, action, since, until, before }: Omit<AuditQuery, 'limit'>,
  names: readonly string[] | undefined,
): SQL | undefined {
  return and(
    gte(audit.at, since),
    lt(audit.at, until),
    // Both again with the whole place, so that a partition that is past is not opened.
    before && sql`${audit.at} <= ${before.at.toISOString()}::timestamptz`,
    before &&
      sql`(${audit.at}, ${audit.auditId}) < (${before.at.toISOString()}::timestamptz, ${before.auditId}::uuid)`,
    names && inArray(audit.deviceId, [...names]),
    actor === undefined ? undefined : eq(audit.actor, encodeText(actor)),
    action === undefined ? undefined : eq(audit.action, encodeText(action)),
  )
}
