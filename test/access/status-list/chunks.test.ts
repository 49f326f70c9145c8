import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type BytePatch,
  CHUNK_BYTES,
  joinChunks,
  patchesOf,
} from '../../../src/access/status-list/chunks.ts'
import { BLOCK_ENTRIES } from '../../../src/access/status-list/shuffle.ts'
import { STATUS_OF, type Status } from '../../../src/access/status-list/statuses.ts'
import { DRAFT_VECTOR } from './draft-vectors.ts'

const STATUSES = [
  STATUS_OF.trusted,
  STATUS_OF.untrusted,
  STATUS_OF.quarantined,
  STATUS_OF.unknown,
] as const

/** As `patch_status_list` does it to chunks. */
function apply(bytes: Uint8Array, patches: readonly BytePatch[]): Uint8Array {
  for (const [chunk, at, keep, set] of patches) {
    const place = chunk * CHUNK_BYTES + at
    bytes[place] = ((bytes[place] ?? 0) & keep) | set
  }
  return bytes
}

test('statuses lie where the test vector of the draft has them (appendix C.2)', () => {
  const entries = DRAFT_VECTOR.entries.map(([index, value]) => [index, STATUSES[value]] as const)
  const written = apply(new Uint8Array(2 ** 20 / 4), patchesOf(entries))
  const vector = inflateSync(Buffer.from(DRAFT_VECTOR.lst, 'base64url'))
  expect(Buffer.from(written).equals(vector)).toBe(true)
})

test('a patch changes the statuses that it is for and no other, and the last word for one counts', () => {
  const index = fc.integer({ min: 0, max: 2 * CHUNK_BYTES * 4 - 1 })
  const entry = fc.tuple(index, fc.constantFrom(...STATUSES))
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (entries: (readonly [number, Status])[]) => {
      const bytes = new Uint8Array(2 * CHUNK_BYTES).fill(0b10011100)
      const expected = Array.from({ length: bytes.length * 4 }, (_, at) => [0, 3, 1, 2][at % 4])
      for (const [at, { value }] of entries) expected[at] = value
      const written = apply(bytes, patchesOf(entries))
      const found = expected.map((_, at) => ((written[at >> 2] ?? 0) >> (2 * (at % 4))) & 3)
      expect(found.join('')).toBe(expected.join(''))
    }),
    { numRuns: 30 },
  )
})

test('what nobody was said anything about is unknown, and a list ends with a block', () => {
  const nothing = joinChunks([])
  expect(nothing).toHaveLength(BLOCK_ENTRIES / 4)
  expect(nothing.every((byte) => byte === 0xff)).toBe(true)
  const chunksInBlock = BLOCK_ENTRIES / 4 / CHUNK_BYTES
  const first = { chunk: chunksInBlock - 1, statuses: new Uint8Array(CHUNK_BYTES) }
  expect(joinChunks([first])).toHaveLength(BLOCK_ENTRIES / 4)
  const second = joinChunks([{ ...first, chunk: chunksInBlock }])
  expect(second).toHaveLength(BLOCK_ENTRIES / 2)
  expect(second.indexOf(0)).toBe(chunksInBlock * CHUNK_BYTES)
  expect(second.lastIndexOf(0)).toBe((chunksInBlock + 1) * CHUNK_BYTES - 1)
})
