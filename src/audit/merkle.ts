import { digest } from '../base/digest.ts'

/*
 * The Merkle tree of RFC 6962 §2.1 (the same as RFC 9162 §2.1) over SHA-256. Ranges of leaves are written
 * as `begin` and `end`, the leaf at `end` not among them.
 */

export const HASH_BYTES = 32

/** The hash of an empty tree. RFC 6962 §2.1 */
export const EMPTY_ROOT = digest('sha256', new Uint8Array())

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** The hash of a leaf by its bytes. RFC 6962 §2.1 */
export function leafHash(entry: Uint8Array): Uint8Array {
  return digest('sha256', LEAF, entry)
}

/** The hash of a node by the hashes of its two children. RFC 6962 §2.1 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return digest('sha256', NODE, left, right)
}

/**
 * The hash of the whole subtree of 2^level leaves that begins at leaf `index` * 2^level. Throws or rejects
 * where there is no such subtree.
 */
export type SubtreeHash = (level: number, index: number) => Uint8Array | Promise<Uint8Array>

export type LeafRange = { readonly begin: number; readonly end: number }

/** The hash of a subtree as RFC 6962 §2.1 divides a tree: `begin` is where such a one can begin. */
export async function rangeHash(
  { begin, end }: LeafRange,
  hashOf: SubtreeHash,
): Promise<Uint8Array> {
  const size = end - begin
  const level = Math.log2(size)
  if (Number.isInteger(level)) return hashOf(level, begin / size)
  const middle = begin + splitOf(size)
  const left = await rangeHash({ begin, end: middle }, hashOf)
  return nodeHash(left, await rangeHash({ begin: middle, end }, hashOf))
}

/** The subtrees whose hashes show that leaf `index` is in a tree of `size`, in order. RFC 6962 §2.1.1 */
export function inclusionPath(index: number, size: number): readonly LeafRange[] {
  if (!(index >= 0 && index < size)) throw new TypeError('there is no such leaf in the tree')
  const path: LeafRange[] = []
  let [begin, end] = [0, size]
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin)
    path.unshift(index < middle ? { begin: middle, end } : { begin, end: middle })
    if (index < middle) end = middle
    else begin = middle
  }
  return path
}

/**
 * The subtrees whose hashes show that the tree of `size` begins with the one of `oldSize`, in order.
 * RFC 6962 §2.1.2
 */
export function consistencyPath(oldSize: number, size: number): readonly LeafRange[] {
  if (!(oldSize > 0 && oldSize <= size)) throw new TypeError('no tree of that size came before')
  const path: LeafRange[] = []
  let [begin, end] = [0, size]
  while (oldSize !== end) {
    const middle = begin + splitOf(end - begin)
    path.unshift(oldSize <= middle ? { begin: middle, end } : { begin, end: middle })
    if (oldSize <= middle) end = middle
    else begin = middle
  }
  // Who asks has the hash of the old tree already.
  if (begin > 0) path.unshift({ begin, end })
  return path
}

/** The largest power of two that is smaller than `size`, which is more than one. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/**
 * The root that an inclusion proof comes to, for the leaf at `index` of a tree of `size`; `undefined` if no
 * such proof has so many hashes. RFC 9162 §2.1.3.2
 */
export function rootOfInclusion(proof: {
  readonly index: number
  readonly size: number
  readonly leaf: Uint8Array
  readonly hashes: readonly Uint8Array[]
}): Uint8Array | undefined {
  const { index, size, leaf, hashes } = proof
  if (!isCount(index) || !isCount(size) || index >= size) return undefined
  let [at, last] = [index, size - 1]
  let root = leaf
  for (const hash of hashes) {
    if (last === 0) return undefined
    if (at % 2 === 1 || at === last) {
      root = nodeHash(hash, root)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    } else {
      root = nodeHash(root, hash)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 ? root : undefined
}

/**
 * The roots of both trees that a consistency proof comes to; `undefined` if no such proof has so many hashes.
 * `oldRoot` is needed where the old tree is a whole subtree of the new one. RFC 9162 §2.1.4.2
 */
export function rootsOfConsistency(proof: {
  readonly oldSize: number
  readonly size: number
  readonly oldRoot: Uint8Array
  readonly hashes: readonly Uint8Array[]
}): { readonly old: Uint8Array; readonly root: Uint8Array } | undefined {
  const { oldSize, size, oldRoot, hashes } = proof
  if (!isCount(oldSize) || !isCount(size) || oldSize === 0 || oldSize > size) return undefined
  if (oldSize === size) return hashes.length === 0 ? { old: oldRoot, root: oldRoot } : undefined
  const [first, ...rest] = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...hashes] : hashes
  if (first === undefined) return undefined
  let [at, last] = [oldSize - 1, size - 1]
  while (at % 2 === 1) [at, last] = [half(at), half(last)]
  let [old, root] = [first, first]
  for (const hash of rest) {
    if (last === 0) return undefined
    if (at % 2 === 1 || at === last) {
      old = nodeHash(hash, old)
      root = nodeHash(hash, root)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    } else {
      root = nodeHash(root, hash)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 ? { old, root } : undefined
}

function half(number: number): number {
  return Math.floor(number / 2)
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0
}

/** A tree that grows leaf by leaf and keeps no more than the hashes that its root is made of. */
export type GrowingTree = {
  readonly append: (leaf: Uint8Array) => void
  readonly size: () => number
  readonly root: () => Uint8Array
}

export function growTree(): GrowingTree {
  /** Of whole subtrees, from left to right, each smaller than the one before. */
  const subtrees: { readonly leaves: number; readonly hash: Uint8Array }[] = []
  let size = 0
  return {
    append(leaf) {
      let [leaves, hash] = [1, leaf]
      for (let last = subtrees.at(-1); last?.leaves === leaves; last = subtrees.at(-1)) {
        hash = nodeHash(last.hash, hash)
        leaves *= 2
        subtrees.pop()
      }
      subtrees.push({ leaves, hash })
      size += 1
    },
    size: () => size,
    root: () => foldRoot(subtrees.map(({ hash }) => hash)),
  }
}

/** The root of a tree by the hashes of its whole subtrees, from the largest to the smallest. */
export function foldRoot(subtrees: readonly Uint8Array[]): Uint8Array {
  const last = subtrees.at(-1)
  if (last === undefined) return EMPTY_ROOT
  return subtrees.slice(0, -1).reduceRight((root, hash) => nodeHash(hash, root), last)
}
