import { fromUtf8 } from '../base/encoding.ts'
import { parseJsonObject } from '../evidence/jws/compact-jws.ts'

/** Of a request for a key set; what is compressed would have to be counted twice. */
export const HEADERS = {
  accept: 'application/jwk-set+json, application/json',
  'accept-encoding': 'identity',
  'user-agent': 'countersign',
} as const

/** What an answer holds, as far as it is a JSON object that is read in one way alone. */
export function parseSet(bytes: Uint8Array | undefined): unknown {
  const text = bytes && fromUtf8(bytes)
  return text === undefined ? undefined : parseJsonObject(text)
}
