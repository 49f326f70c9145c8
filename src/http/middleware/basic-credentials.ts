import { fromBase64, fromUtf8 } from '../../base/encoding.ts'

const MAX_BASIC_CHARS = 1024

export type BasicCredentials = { readonly id: string; readonly secret: string }

/** Id and secret of the header `Authorization` by HTTP Basic (RFC 7617 §2); `undefined` for anything else. */
export function readBasic(authorization: string): BasicCredentials | undefined {
  if (authorization.length > MAX_BASIC_CHARS) return
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  const bytes = encoded === undefined ? undefined : fromBase64(encoded)
  const text = bytes && fromUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 1) return
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}
