import type { AuditEntry } from '../store/system/audit-log.ts'

/** An entry of the audit log as it stands on the wire. */
export function showAuditEntry({ at, auditId, actor, action, deviceId, detail }: AuditEntry) {
  return {
    audit_id: auditId,
    at,
    actor,
    action,
    device_id: deviceId === 'service' ? null : deviceId,
    detail,
  }
}
