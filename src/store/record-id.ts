import { toHex } from '../base/encoding.ts'

/**
 * A UUID of version 7 (RFC 9562 §5.7): its time part keeps the rows of a table that are written
 * together close together in the index, and no sequence is needed to make it.
 */
export function newRecordId(now: Date): string {
  const bytes = new Uint8Array(16)
  crypto.getRandomValues(bytes.subarray(6))
  new DataView(bytes.buffer).setUint32(0, Math.floor(now.getTime() / 0x10000))
  new DataView(bytes.buffer).setUint16(4, now.getTime() % 0x10000)
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
