import { consistencyPath, inclusionPath, type LeafRange, rangeHash } from '../../audit/merkle.ts'
import { subtreesOf, type TilePlace } from '../../audit/tiles.ts'
import type { Store } from '../../store/store.ts'

/** `undefined` where the log was never of that size, or has no such leaf. */
export type Proof = readonly Uint8Array[] | undefined

type Tiles = Pick<Store, 'auditLog' | 'auditTiles'>

/** The inclusion proof of leaf `index` in the tree of `size`, which is what the log was of. RFC 6962 §2.1.1 */
export function proveInclusion(
  store: Tiles,
  { index, size }: { readonly index: number; readonly size: number },
): Promise<Proof> {
  return prove(store, size, () => (index < size ? inclusionPath(index, size) : undefined))
}

/** The consistency proof between two trees that the log was of. RFC 6962 §2.1.2 */
export function proveConsistency(
  store: Tiles,
  { oldSize, size }: { readonly oldSize: number; readonly size: number },
): Promise<Proof> {
  const isPast = oldSize > 0 && oldSize <= size
  return prove(store, size, () => (isPast ? consistencyPath(oldSize, size) : undefined))
}

async function prove(
  store: Tiles,
  size: number,
  pathOf: () => readonly LeafRange[] | undefined,
): Promise<Proof> {
  const log = await store.auditLog()
  const path = size <= log.size ? pathOf() : undefined
  if (path === undefined) return undefined
  const hashOf = subtreesOf(readTiles(store))
  return Promise.all(path.map((range) => rangeHash(range, hashOf)))
}

/** Each tile is read once. */
function readTiles(store: Tiles): (place: TilePlace) => Promise<Uint8Array> {
  const read = new Map<string, Promise<Uint8Array>>()
  const readOne = async (place: TilePlace) => {
    const [found] = await store.auditTiles([place])
    return found?.hashes ?? new Uint8Array()
  }
  return (place) => {
    const name = `${place.level} ${place.tile}`
    const known = read.get(name) ?? readOne(place)
    read.set(name, known)
    return known
  }
}
