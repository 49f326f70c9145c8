import { foldRoot, HASH_BYTES, nodeHash, type SubtreeHash } from './merkle.ts'

/*
 * A tree in tiles (C2SP tlog-tiles, "Merkle Tree"): tile N of level L holds the hashes of the 256 whole
 * subtrees of 256^L leaves from the one at N * 256 on, or, as the last of its level, as many as there are.
 * A full tile never changes again.
 */

/** Hashes in a full tile. */
export const TILE_WIDTH = 256
const TILE_HEIGHT = 8

export type TilePlace = {
  readonly level: number
  /** Which of its level, from 0. */
  readonly tile: number
}

export type Tile = TilePlace & {
  /** 1 to 256 hashes, one after the other. */
  readonly hashes: Uint8Array
}

/** The last tile of each level that is not full, from level 0 on, all that a tree needs to grow. */
export type Tails = readonly Uint8Array[]

/** How many hashes the last tile of each level of a tree has, 0 where that one is full. */
export function tailPlaces(size: number): readonly (TilePlace & { readonly width: number })[] {
  const places: (TilePlace & { readonly width: number })[] = []
  for (let [level, count] = [0, size]; count > 0; level += 1) {
    places.push({ level, tile: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH })
    count = Math.floor(count / TILE_WIDTH)
  }
  return places
}

export type GrownTiles = {
  readonly size: number
  readonly root: Uint8Array
  /** Those that are new or have more hashes than before. */
  readonly tiles: readonly Tile[]
}

/** Appends leaves to a tree of `size` leaves, by their hashes. */
export function growTiles(size: number, tails: Tails, leaves: readonly Uint8Array[]): GrownTiles {
  const tiles: Tile[] = []
  const grown: Uint8Array[] = []
  let [count, added] = [size, leaves]
  for (let level = 0; added.length > 0 || level < tails.length; level += 1) {
    let hashes = Buffer.concat([tails[level] ?? new Uint8Array(), ...added])
    let tile = Math.floor(count / TILE_WIDTH)
    const full: Uint8Array[] = []
    for (; hashes.length >= TILE_WIDTH * HASH_BYTES; tile += 1) {
      const whole = hashes.subarray(0, TILE_WIDTH * HASH_BYTES)
      tiles.push({ level, tile, hashes: whole })
      full.push(subtreeHash(whole))
      hashes = hashes.subarray(TILE_WIDTH * HASH_BYTES)
    }
    if (hashes.length > 0 && added.length > 0) tiles.push({ level, tile, hashes })
    grown.push(hashes)
    count = Math.floor(count / TILE_WIDTH)
    added = full
  }
  return { size: size + leaves.length, root: rootOfTails(grown), tiles }
}

/** The root of the tree whose last tiles these are. */
export function rootOfTails(tails: Tails): Uint8Array {
  return foldRoot(tails.toReversed().flatMap(wholeSubtrees))
}

/** Hashes of the whole subtrees that a tile's hashes come to, the largest first. */
function wholeSubtrees(hashes: Uint8Array): readonly Uint8Array[] {
  const subtrees: Uint8Array[] = []
  let rest = hashes
  for (let width = TILE_WIDTH / 2; width >= 1; width /= 2) {
    const length = width * HASH_BYTES
    if (rest.length < length) continue
    subtrees.push(subtreeHash(rest.subarray(0, length)))
    rest = rest.subarray(length)
  }
  return subtrees
}

/** The root of a power of two of hashes. */
function subtreeHash(hashes: Uint8Array): Uint8Array {
  if (hashes.length === HASH_BYTES) return hashes
  const middle = hashes.length / 2
  return nodeHash(subtreeHash(hashes.subarray(0, middle)), subtreeHash(hashes.subarray(middle)))
}

/** Subtrees of a tree by its tiles. `read` throws or rejects where there is no such tile. */
export function subtreesOf(read: (place: TilePlace) => Promise<Uint8Array>): SubtreeHash {
  return async (level, index) => {
    const width = 2 ** (level % TILE_HEIGHT)
    const first = index * width
    const tile = Math.floor(first / TILE_WIDTH)
    const hashes = await read({ level: Math.floor(level / TILE_HEIGHT), tile })
    const at = (first % TILE_WIDTH) * HASH_BYTES
    const found = hashes.subarray(at, at + width * HASH_BYTES)
    if (found.length < width * HASH_BYTES) throw new TypeError('the tile is too short')
    return subtreeHash(found)
  }
}

/** The hashes of a tile, one by one. */
export function hashesOf(tile: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: tile.length / HASH_BYTES }, (_, at) =>
    tile.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  )
}
