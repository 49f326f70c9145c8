/** What a jsonb column holds. Members that are `undefined` are left out, as JSON.stringify does. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

const UNSTORABLE = /\\u0000|\\ud[89a-f]/i

/**
 * JSON text for a jsonb parameter. PostgreSQL refuses NUL and lone surrogates, and both can stand
 * in what a device sends: they are replaced by U+FFFD rather than letting them fail the statement.
 */
export function encodeJson(value: unknown): string {
  const text = JSON.stringify(value)
  // A hit may be a harmless backslash in the data; then replacing changes nothing.
  return UNSTORABLE.test(text) ? JSON.stringify(replaceUnstorable(JSON.parse(text))) : text
}

/** The same for a text parameter. */
export function encodeText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

function replaceUnstorable(value: unknown): unknown {
  if (typeof value === 'string') return encodeText(value)
  if (Array.isArray(value)) return value.map(replaceUnstorable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [encodeText(key), replaceUnstorable(member)]),
  )
}
