import type { RefusalPosition } from '../store/devices/device-history.ts'
import type { ListPosition } from '../store/list-position.ts'
import type { AuditPosition } from '../store/system/audit-log.ts'

/** `2026-03-02T08:00:00.000Z_0195…`: where a page of a list by time goes on. */
export function formatPosition(at: Date, id: string): string {
  return `${at.toISOString()}_${id}`
}

const POSITION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)_([A-Za-z0-9_-]{1,128})$/

/** A position in a list of rollouts or holds; `undefined` for what is none. */
export function parseListPosition(text: string): ListPosition | undefined {
  return parsePosition(text)
}

/** The position of a refused attempt; `undefined` for what is none. */
export function parseRefusalPosition(text: string): RefusalPosition | undefined {
  const { at, id = '' } = parsePosition(text) ?? {}
  return at === undefined ? undefined : { at, attestationId: id }
}

function parsePosition(text: string): ListPosition | undefined {
  const [, time = '', id = ''] = POSITION.exec(text) ?? []
  const at = new Date(time)
  return Number.isNaN(at.getTime()) ? undefined : { at, id }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The position of an entry of the audit log. */
export function parseAuditPosition(text: string): AuditPosition | undefined {
  const { at, id = '' } = parsePosition(text) ?? {}
  return at !== undefined && UUID.test(id) ? { at, auditId: id } : undefined
}
