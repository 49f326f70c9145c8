import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'

/** Members of a JSON object of the protocol, not looked at. */
export type Members = Readonly<Record<string, unknown>>

/** The message inside an envelope: base64url of JSON. */
export function readData(data: unknown): Members {
  return parse(fromUtf8(decode(data)) ?? '')
}

/** The envelope of a message. */
export function writeData(message: unknown): string {
  return toBase64Url(toUtf8(JSON.stringify(message)))
}

/** JSON that is known to be an object. */
export function parse(json: string): Members {
  return JSON.parse(json) as Members
}

/** The bytes of a text that is known to be base64url. */
export function decode(value: unknown): Uint8Array {
  const decoded = typeof value === 'string' ? fromBase64Url(value) : undefined
  if (decoded === undefined) throw new TypeError('not base64url')
  return decoded
}
