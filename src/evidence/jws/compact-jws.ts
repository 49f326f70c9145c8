import { fromBase64Url, fromUtf8 } from '../../base/encoding.ts'
import { measureJson } from '../../base/json/parse.ts'
import { MAX_JSON_VALUES } from '../limits.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** The parts of a JWS in compact form (RFC 7515 §7.1) whose payload is a JSON object. Unverified. */
export type CompactJws = {
  readonly header: JsonObject
  readonly payload: JsonObject
  /** Empty in unsigned tokens. */
  readonly signature: Uint8Array<ArrayBuffer>
}

/** `undefined` when the text is not three parts of base64url with two JSON objects in them. */
export function decodeCompactJws(text: string): CompactJws | undefined {
  const [header, payload, signature, ...more] = text.split('.', 4)
  if (header === undefined || payload === undefined || more.length > 0) return undefined
  const head = decodeObject(header)
  const body = decodeObject(payload)
  const bytes = signature === undefined ? undefined : fromBase64Url(signature)
  if (head === undefined || body === undefined || bytes === undefined) return undefined
  return { header: head, payload: body, signature: bytes }
}

function decodeObject(text: string): JsonObject | undefined {
  const bytes = fromBase64Url(text)
  const json = bytes === undefined ? undefined : fromUtf8(bytes)
  return json === undefined ? undefined : parseJsonObject(json)
}

/**
 * `JSON.parse` for text that decides about trust: the value must be an object, no member name may
 * occur twice (two readers could see two values), none may be `__proto__`, and nothing is nested
 * deeper than `MAX_JSON_DEPTH`.
 */
export function parseJsonObject(text: string): JsonObject | undefined {
  const written = measureJson(text)
  if (written === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isJsonObject(value)) return undefined
  return countMembers(value) === written.members ? value : undefined
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Members that survived parsing; -1 for what is refused anyway. Not recursive: depth is hostile. */
function countMembers(root: JsonObject): number {
  const open: unknown[] = [root]
  let members = 0
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const names = Array.isArray(value) ? [] : Object.keys(value)
    if (names.includes('__proto__')) return -1
    members += names.length
    for (const child of Object.values(value)) open.push(child)
    if (open.length + members > MAX_JSON_VALUES) return -1
  }
  return members
}
