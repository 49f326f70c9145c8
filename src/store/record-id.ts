import { toHex } from '../base/encoding.ts'
import { createRandomSource } from '../base/random.ts'

const random = createRandomSource()

/**
 * A UUID of version 7 (RFC 9562 §5.7): its time part keeps the rows of a table that are written
 * together close together in the index, and no sequence is needed to make it.
 */
export function newRecordId(now: Date): string {
  const bytes = random(16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.floor(now.getTime() / 0x10000))
  view.setUint16(4, now.getTime() % 0x10000)
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = toHex(bytes)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return `${parts.join('-')}-${hex.slice(20)}`
}
