import { createHmac, type KeyObject } from 'node:crypto'

const HALF_BITS = 8
const HALF_MASK = (1 << HALF_BITS) - 1
/** A Feistel network of a pseudo-random function is hard to tell from chance from four rounds on. */
const ROUNDS = 4

/** Places are shuffled among so many, so that a list has this length, or a multiple of it. */
export const BLOCK_ENTRIES = 1 << (2 * HALF_BITS)

/**
 * The index in the list of statuses for a place. Places are given in the order in which devices come;
 * whoever sees indices learns nothing of that order within a block. One place has one index, and no two
 * have the same, as long as the secret is the same.
 */
export function indexOfPlace(place: number, secret: KeyObject): number {
  if (!Number.isSafeInteger(place) || place < 0) throw new TypeError('a place is a natural number')
  const block = Math.floor(place / BLOCK_ENTRIES)
  const within = place % BLOCK_ENTRIES
  let [left, right] = [within >> HALF_BITS, within & HALF_MASK]
  for (let round = 0; round < ROUNDS; round++) {
    const mixed = left ^ roundValue({ block, round, half: right }, secret)
    left = right
    right = mixed
  }
  return block * BLOCK_ENTRIES + ((left << HALF_BITS) | right)
}

type RoundInput = { readonly block: number; readonly round: number; readonly half: number }

function roundValue({ block, round, half }: RoundInput, secret: KeyObject): number {
  const hmac = createHmac('sha256', secret).update(`${block} ${round} ${half}`).digest()
  return hmac.readUInt16BE(0) & HALF_MASK
}
