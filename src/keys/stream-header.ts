import { fromBase64, fromUtf8, toBase64, toUtf8 } from '../base/encoding.ts'
import type { MasterSecrets } from './master-secret.ts'
import { derivePurposeKeys, type PurposeKeys, seal, unsealWithAny } from './sealing.ts'

/** What the header `Authorization` of pushes is kept sealed with. */
export function streamHeaderKeys(secrets: MasterSecrets): PurposeKeys {
  return derivePurposeKeys(secrets, 'authorization of streams')
}

/** Base64 of the sealed header of one stream; moved to another stream it does not open. */
export function sealHeader([key]: PurposeKeys, header: string, streamId: string): string {
  return toBase64(seal({ key, plaintext: toUtf8(header), context: contextOf(streamId) }))
}

/** `undefined` where none of the keys has sealed it, or not for this stream. */
export function openHeader(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  const bytes = fromBase64(sealed)
  if (bytes === undefined) return undefined
  const opened = unsealWithAny({ keys, sealed: bytes, context: contextOf(streamId) })
  return opened && fromUtf8(opened)
}

/** Of a header that another key than the first has sealed, the same sealed with the first; else `undefined`. */
export function resealHeader(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  const [current] = keys
  if (openHeader([current], sealed, streamId) !== undefined) return undefined
  const header = openHeader(keys, sealed, streamId)
  return header === undefined ? undefined : sealHeader(keys, header, streamId)
}

function contextOf(streamId: string): string {
  return `authorization of ${streamId}`
}
