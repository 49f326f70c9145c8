import { BLOCK_ENTRIES } from './shuffle.ts'
import { STATUS_BITS, STATUS_OF, type Status } from './statuses.ts'

const ENTRIES_PER_BYTE = 8 / STATUS_BITS
const ENTRY_MASK = (1 << STATUS_BITS) - 1

/** The list is kept in pieces of so many bytes, so that a change rewrites little. */
export const CHUNK_BYTES = 4096

const CHUNK_ENTRIES = CHUNK_BYTES * ENTRIES_PER_BYTE
const BLOCK_BYTES = BLOCK_ENTRIES / ENTRIES_PER_BYTE

/** Four times the status of what nobody knows: what a byte is before anything is written there. */
const UNTOUCHED = STATUS_OF.unknown.value * 0b01010101

/** One byte of one chunk: which of its bits stay, and which are then set. */
export type BytePatch = readonly [chunk: number, at: number, keep: number, set: number]

/** What has to be written for statuses by their index; of several for one index the last counts. */
export function patchesOf(entries: Iterable<readonly [index: number, Status]>): BytePatch[] {
  const patches = new Map<number, { keep: number; set: number }>()
  for (const [index, { value }] of entries) {
    const byte = Math.floor(index / ENTRIES_PER_BYTE)
    const shift = (index % ENTRIES_PER_BYTE) * STATUS_BITS
    const mask = ENTRY_MASK << shift
    const patch = patches.get(byte) ?? { keep: 0xff, set: 0 }
    patches.set(byte, { keep: patch.keep & ~mask, set: (patch.set & ~mask) | (value << shift) })
  }
  return [...patches].map(([byte, { keep, set }]) => {
    return [Math.floor(byte / CHUNK_BYTES), byte % CHUNK_BYTES, keep, set]
  })
}

/** All chunks in a row, up to the end of the last block that has one: at least one block. */
export function joinChunks(chunks: readonly StatusChunk[]): Uint8Array {
  const last = chunks.reduce((most, { chunk }) => Math.max(most, chunk), 0)
  const blocks = Math.floor((last * CHUNK_ENTRIES) / BLOCK_ENTRIES) + 1
  const bytes = new Uint8Array(blocks * BLOCK_BYTES).fill(UNTOUCHED)
  for (const { chunk, statuses } of chunks) bytes.set(statuses, chunk * CHUNK_BYTES)
  return bytes
}

/** `statuses`: `CHUNK_BYTES` bytes, which begin at the index `chunk` times their entries. */
export type StatusChunk = { readonly chunk: number; readonly statuses: Uint8Array }
