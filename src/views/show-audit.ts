import type { LogEntry } from '../audit/entry.ts'
import { logEntryOf } from '../operations/audit/log-entry.ts'
import type { AuditEntry } from '../store/system/audit-log.ts'

/** An entry of the audit log as it stands on the wire: as its leaf in the Merkle tree is the hash of it. */
export function showAuditEntry(entry: AuditEntry): LogEntry {
  return logEntryOf(entry)
}
