import type { LogEntry } from '../../audit/entry.ts'
import type { AuditEntry } from '../../store/system/audit-log.ts'

/** An entry of the audit log as it is shown and exported, and as its leaf is the hash of it. */
export function logEntryOf(entry: AuditEntry): LogEntry {
  const { at, auditId, actor, action, deviceId, detail, request } = entry
  return {
    audit_id: auditId,
    at: at.toISOString(),
    actor,
    action,
    device_id: deviceId === 'service' ? null : deviceId,
    detail,
    request,
  }
}
