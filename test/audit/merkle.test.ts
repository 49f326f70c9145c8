import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  consistencyPath,
  EMPTY_ROOT,
  growTree,
  inclusionPath,
  leafHash,
  nodeHash,
  rangeHash,
  rootOfInclusion,
  rootsOfConsistency,
} from '../../src/audit/merkle.ts'
import {
  growTiles,
  hashesOf,
  rootOfTails,
  subtreesOf,
  type Tile,
  tailPlaces,
} from '../../src/audit/tiles.ts'
import { fromHex, toHex } from '../../src/base/encoding.ts'

const hex = (text: string) => fromHex(text) ?? new Uint8Array()

/**
 * The leaves that the tests of Certificate Transparency have used since 2012, and the roots of the trees of
 * the first of them: `testonly/constants.go` of github.com/transparency-dev/merkle v0.0.2, Apache-2.0.
 */
const LEAVES = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
  '606162636465666768696a6b6c6d6e6f',
].map((text) => (text === '' ? new Uint8Array() : hex(text)))
const LEAF_HASHES = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7',
  '07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7',
  'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  '4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658',
  'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f',
  '46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

/** The tree by RFC 6962 §2.1 as it stands there, over all leaves anew each time. */
function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (only === undefined) return EMPTY_ROOT
  if (leaves.length === 1) return only
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return nodeHash(definedRoot(leaves.slice(0, split)), definedRoot(leaves.slice(split)))
}

/** A tree in tiles, and what is read of them. */
function storedTree() {
  const stored = new Map<string, Tile>()
  const read = async ({ level, tile }: { level: number; tile: number }) => {
    return stored.get(`${level} ${tile}`)?.hashes ?? new Uint8Array()
  }
  let size = 0
  return {
    hashOf: subtreesOf(read),
    async append(leaves: readonly Uint8Array[]) {
      const places = tailPlaces(size)
      const tails = await Promise.all(
        places.map(async (place) => (place.width === 0 ? new Uint8Array() : await read(place))),
      )
      const grown = growTiles(size, tails, leaves)
      for (const tile of grown.tiles) stored.set(`${tile.level} ${tile.tile}`, tile)
      size = grown.size
      return grown
    },
    stored,
  }
}

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`leaf ${at}`)))

describe('the tree of RFC 6962', () => {
  test('has the hashes of leaves and the roots that Certificate Transparency tests with', async () => {
    expect(LEAVES.map((leaf) => toHex(leafHash(leaf)))).toEqual(LEAF_HASHES)
    expect(toHex(EMPTY_ROOT)).toBe(ROOTS[0])
    const tree = growTree()
    const tiles = storedTree()
    for (const [at, leaf] of LEAVES.entries()) {
      tree.append(leafHash(leaf))
      expect(toHex(tree.root())).toBe(ROOTS[at + 1])
      expect(toHex((await tiles.append([leafHash(leaf)])).root)).toBe(ROOTS[at + 1])
    }
  })

  test('has the paths that RFC 6962 §2.1.3 shows for a tree of seven leaves', () => {
    // The nodes of its figure: g, h, i, j over two leaves each, k over four, l over the last three.
    const [b, g, h, i, j, l, d, k] = [
      [1, 2],
      [0, 2],
      [2, 4],
      [4, 6],
      [6, 7],
      [4, 7],
      [3, 4],
      [0, 4],
    ].map(([begin, end]) => ({ begin, end }))
    expect(inclusionPath(0, 7)).toEqual([b, h, l])
    expect(inclusionPath(3, 7)).toEqual([{ begin: 2, end: 3 }, g, l])
    expect(inclusionPath(4, 7)).toEqual([{ begin: 5, end: 6 }, j, k])
    expect(inclusionPath(6, 7)).toEqual([i, k])
    expect(consistencyPath(3, 7)).toEqual([{ begin: 2, end: 3 }, d, g, l])
    expect(consistencyPath(4, 7)).toEqual([l])
    expect(consistencyPath(6, 7)).toEqual([i, j, k])
  })

  test('proves each leaf and each tree before, at sizes around those of tiles', async () => {
    for (const size of [1, 2, 3, 7, 8, 255, 256, 257, 511, 513, 700]) {
      const leaves = leavesOf(size)
      const tree = storedTree()
      const { root } = await tree.append(leaves)
      expect(toHex(root)).toBe(toHex(definedRoot(leaves)))
      for (const index of new Set([0, 1, 254, 255, 256, size - 2, size - 1])) {
        const leaf = leaves[index]
        if (leaf === undefined) continue
        const hashes = await Promise.all(
          inclusionPath(index, size).map((range) => rangeHash(range, tree.hashOf)),
        )
        const proven = rootOfInclusion({ index, size, leaf, hashes })
        expect(proven && toHex(proven)).toBe(toHex(root))
        const oldSize = index + 1
        const oldRoot = definedRoot(leaves.slice(0, oldSize))
        const path = await Promise.all(
          consistencyPath(oldSize, size).map((range) => rangeHash(range, tree.hashOf)),
        )
        const roots = rootsOfConsistency({ oldSize, size, oldRoot, hashes: path })
        expect(roots && [toHex(roots.old), toHex(roots.root)]).toEqual([
          toHex(oldRoot),
          toHex(root),
        ])
      }
    }
  })

  test('a proof with a hash more, less, or another one comes to no root, or to another', async () => {
    const leaves = leavesOf(300)
    const tree = storedTree()
    const root = toHex((await tree.append(leaves)).root)
    await fc.assert(
      fc.asyncProperty(fc.nat(299), fc.nat(10), fc.nat(255), async (index, at, flip) => {
        const hashes = await Promise.all(
          inclusionPath(index, 300).map((range) => rangeHash(range, tree.hashOf)),
        )
        const leaf = leaves[index] ?? EMPTY_ROOT
        const comesTo = (given: readonly Uint8Array[], size = 300, place = index) => {
          const found = rootOfInclusion({ index: place, size, leaf, hashes: given })
          return found && toHex(found)
        }
        expect(comesTo(hashes)).toBe(root)
        expect(comesTo(hashes.slice(1))).not.toBe(root)
        expect(comesTo([...hashes, EMPTY_ROOT])).not.toBe(root)
        expect(comesTo(hashes, 300, (index + 1) % 300)).not.toBe(root)
        const other = hashes.map((hash) => Uint8Array.from(hash))
        const changed = other[at % other.length]
        if (changed !== undefined) changed[flip % 32] = (changed[flip % 32] ?? 0) ^ 1
        expect(comesTo(other)).not.toBe(root)
        const old = index === 0 ? 1 : index
        const oldRoot = definedRoot(leaves.slice(0, old))
        const path = await Promise.all(
          consistencyPath(old, 300).map((range) => rangeHash(range, tree.hashOf)),
        )
        const agree = (given: readonly Uint8Array[], of = oldRoot) => {
          const found = rootsOfConsistency({ oldSize: old, size: 300, oldRoot: of, hashes: given })
          return found !== undefined && toHex(found.old) === toHex(of) && toHex(found.root) === root
        }
        expect(agree(path)).toBe(true)
        expect(agree(path.slice(1))).toBe(false)
        expect(agree([...path, EMPTY_ROOT])).toBe(false)
        expect(agree(path, EMPTY_ROOT)).toBe(false)
      }),
    )
  })

  test('what is no index, no size or no old size proves nothing', () => {
    const leaf = EMPTY_ROOT
    for (const [index, size] of [
      [1, 1],
      [0, 0],
      [-1, 3],
      [0.5, 3],
      [0, 2 ** 60],
    ] as const) {
      expect(rootOfInclusion({ index, size, leaf, hashes: [] })).toBeUndefined()
    }
    const hashes = [leaf]
    expect(rootsOfConsistency({ oldSize: 0, size: 3, oldRoot: leaf, hashes })).toBeUndefined()
    expect(rootsOfConsistency({ oldSize: 4, size: 3, oldRoot: leaf, hashes })).toBeUndefined()
    expect(rootsOfConsistency({ oldSize: 3, size: 3, oldRoot: leaf, hashes })).toBeUndefined()
    expect(() => inclusionPath(3, 3)).toThrow(TypeError)
    expect(() => consistencyPath(0, 3)).toThrow(TypeError)
  })
})

describe('tiles', () => {
  test('are the same however the leaves come, and full ones never change', async () => {
    const leaves = leavesOf(1500)
    const whole = storedTree()
    await whole.append(leaves)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 6 }),
        async (parts) => {
          const tree = storedTree()
          let from = 0
          for (const part of [...parts, leaves.length]) {
            const full = [...tree.stored].filter(
              ([, { hashes }]) => hashesOf(hashes).length === 256,
            )
            const { root } = await tree.append(leaves.slice(from, from + part))
            from = Math.min(from + part, leaves.length)
            expect(toHex(root)).toBe(toHex(definedRoot(leaves.slice(0, from))))
            for (const [place, { hashes }] of full) {
              expect(
                Buffer.compare(tree.stored.get(place)?.hashes ?? leaves[0] ?? hashes, hashes),
              ).toBe(0)
            }
          }
          const shown = (tiles: typeof whole.stored) =>
            [...tiles].map(([place, { hashes }]) => `${place} ${toHex(hashes)}`).sort()
          expect(shown(tree.stored)).toEqual(shown(whole.stored))
        },
      ),
      { numRuns: 15 },
    )
  })

  test('the root follows from the tails alone', async () => {
    const tree = storedTree()
    const { root, size } = await tree.append(leavesOf(777))
    const tails = tailPlaces(size).map(
      ({ level, tile }) => tree.stored.get(`${level} ${tile}`)?.hashes ?? new Uint8Array(),
    )
    expect(toHex(rootOfTails(tails))).toBe(toHex(root))
    expect(tailPlaces(0)).toEqual([])
    expect(tailPlaces(65_536)).toEqual([
      { level: 0, tile: 256, width: 0 },
      { level: 1, tile: 1, width: 0 },
      { level: 2, tile: 0, width: 1 },
    ])
  })
})
