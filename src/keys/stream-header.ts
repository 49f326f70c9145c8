import type { MasterSecrets } from './master-secret.ts'
import { openText, resealText, sealText } from './sealed-text.ts'
import { derivePurposeKeys, type PurposeKeys } from './sealing.ts'

/** What the header `Authorization` of pushes is kept sealed with. */
export function streamHeaderKeys(secrets: MasterSecrets): PurposeKeys {
  return derivePurposeKeys(secrets, 'authorization of streams')
}

/** Base64 of the sealed header of one stream; moved to another stream it does not open. */
export function sealHeader(keys: PurposeKeys, header: string, streamId: string): string {
  return sealText(keys, header, contextOf(streamId))
}

/** `undefined` where none of the keys has sealed it, or not for this stream. */
export function openHeader(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  return openText(keys, sealed, contextOf(streamId))
}

/** Of a header that another key than the first has sealed, the same sealed with the first; else `undefined`. */
export function resealHeader(
  keys: PurposeKeys,
  sealed: string,
  streamId: string,
): string | undefined {
  return resealText(keys, sealed, contextOf(streamId))
}

function contextOf(streamId: string): string {
  return `authorization of ${streamId}`
}
