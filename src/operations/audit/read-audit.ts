import { ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { AuditPage, AuditQuery } from '../../store/system/audit-log.ts'
import { type SearchFailure, withinTime } from '../devices/find-devices.ts'

/** What is looked through where nobody says since when: no entry that is older is come across. */
export const AUDIT_LOOKED_BACK_DAYS = 30
const LOOKED_BACK_MS = AUDIT_LOOKED_BACK_DAYS * 86_400_000

export type AuditSearch = Omit<AuditQuery, 'since' | 'until'> & {
  readonly since?: Date | undefined
  readonly until?: Date | undefined
}

export type FoundEntries = AuditPage & {
  /** The time that was looked through. */
  readonly since: Date
  readonly until: Date
}

/** A page of the audit log, the newest entries first. Entries of this very moment are among them. */
export async function readAudit(
  store: Pick<Store, 'auditEntries'>,
  { since, until, ...query }: AuditSearch,
  now: Date,
): Promise<Result<FoundEntries, SearchFailure>> {
  const end = until ?? new Date(now.getTime() + 1)
  const begin = since ?? new Date(end.getTime() - LOOKED_BACK_MS)
  const answer = store.auditEntries({ ...query, since: begin, until: end })
  // The entries of one device lie together in the index of each partition.
  const page = await withinTime(answer, query.deviceId === undefined)
  return page.ok ? ok({ ...page.value, since: begin, until: end }) : page
}
