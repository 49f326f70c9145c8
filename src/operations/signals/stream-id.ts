import { toBase32 } from '../../base/encoding.ts'

const BYTES = 16

/** A fresh name of a stream: `str_` and the base32 of random bytes. */
export function newStreamId(random: (length: number) => Uint8Array): string {
  return `str_${toBase32(random(BYTES))}`
}
