import canonicalize from 'canonicalize'
import { toUtf8 } from '../base/encoding.ts'
import { leafHash } from './merkle.ts'

/** An entry of the audit log as it is shown, exported and hashed. */
export type LogEntry = {
  readonly audit_id: string
  /** ISO 8601 in UTC, to the millisecond. */
  readonly at: string
  readonly actor: string
  readonly action: string
  /** `null` where it concerns no device. */
  readonly device_id: string | null
  /** What was changed, and why: JSON. */
  readonly detail: unknown
  /** From where, and by which request: JSON; `null` where nothing is known of it. */
  readonly request: unknown
}

const MEMBERS = ['audit_id', 'at', 'actor', 'action', 'device_id', 'detail', 'request'] as const

/**
 * The bytes of an entry that its leaf is the hash of: these seven members and no other, as canonical JSON
 * (RFC 8785) in UTF-8. `undefined` for what RFC 8785 cannot write: half of a surrogate pair.
 */
export function encodeEntry(entry: LogEntry): Uint8Array | undefined {
  const members = Object.fromEntries(MEMBERS.map((name) => [name, entry[name]]))
  try {
    const text = canonicalize(members)
    return text === undefined ? undefined : toUtf8(text)
  } catch {
    return undefined
  }
}

/** The hash of its leaf; `undefined` as above. */
export function hashEntry(entry: LogEntry): Uint8Array | undefined {
  const bytes = encodeEntry(entry)
  return bytes && leafHash(bytes)
}

/** Whether a value from outside has the members of an entry and no other. Their values are not looked at more. */
export function isLogEntry(value: unknown): value is LogEntry {
  if (typeof value !== 'object' || value === null) return false
  const names = Object.keys(value)
  if (names.length !== MEMBERS.length || !MEMBERS.every((name) => Object.hasOwn(value, name))) {
    return false
  }
  const { audit_id, at, actor, action, device_id }: Partial<Record<string, unknown>> = value
  const texts = [audit_id, at, actor, action]
  const isNamed = device_id === null || typeof device_id === 'string'
  return isNamed && texts.every((text) => typeof text === 'string')
}
