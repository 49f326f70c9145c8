import type { ExportHead, ExportPart } from '../../audit/export-lines.ts'
import { HASH_BYTES } from '../../audit/merkle.ts'
import { TILE_WIDTH, type Tile } from '../../audit/tiles.ts'
import type { Store } from '../../store/store.ts'
import type { AuditLeaf, AuditPosition } from '../../store/system/audit-tree.ts'
import { auditKeysOf } from './audit-keys.ts'
import { logEntryOf } from './log-entry.ts'

export type ExportDependencies = {
  readonly store: Pick<
    Store,
    | 'auditLog'
    | 'auditTiles'
    | 'auditLeaves'
    | 'auditEntriesOutside'
    | 'lostAuditEntries'
    | 'listSigningKeys'
  >
  readonly clock: () => Date
}

const TILES_AT_ONCE = 4
const ROWS_AT_ONCE = 1000

/**
 * The audit log as it is at its newest checkpoint, part by part, and after it what has no leaf. `undefined`
 * where no checkpoint was signed yet.
 */
export async function exportAuditLog(
  dependencies: ExportDependencies,
): Promise<
  { readonly size: number; readonly parts: () => AsyncGenerator<ExportPart> } | undefined
> {
  const { store, clock } = dependencies
  const { origin, size, checkpoint, isAdopted } = await store.auditLog()
  if (origin === null || checkpoint === null) return undefined
  const keys = await auditKeysOf(store, origin)
  const head: ExportHead = { kind: 'head', exportedAt: clock().toISOString(), checkpoint, keys }
  return {
    size,
    async *parts() {
      yield head
      yield* tilesWithEntries(store, size)
      yield* outsideOf(store, { size, isAdopted })
    },
  }
}

async function* tilesWithEntries(
  store: Pick<Store, 'auditTiles' | 'auditLeaves'>,
  size: number,
): AsyncGenerator<ExportPart> {
  const tilesInAll = Math.ceil(size / TILE_WIDTH)
  for (let from = 0; from < tilesInAll; from += TILES_AT_ONCE) {
    const until = Math.min(from + TILES_AT_ONCE, tilesInAll)
    const places = Array.from({ length: until - from }, (_, at) => ({ level: 0, tile: from + at }))
    const tiles = await store.auditTiles(places)
    const end = Math.min(until * TILE_WIDTH, size)
    const leaves = await store.auditLeaves(from * TILE_WIDTH, end)
    for (const { tile } of places) {
      const [first, last] = [tile * TILE_WIDTH, Math.min((tile + 1) * TILE_WIDTH, size)]
      yield { kind: 'tile', tile, hashes: hashesIn(tiles, tile, last - first) }
      yield* entriesOf(
        leaves.filter(({ index }) => index >= first && index < last),
        { first, last },
      )
    }
  }
}

/** What is missing of it is found by whoever verifies. */
function hashesIn(tiles: readonly Tile[], tile: number, width: number): Uint8Array {
  const hashes = tiles.find((one) => one.tile === tile)?.hashes ?? new Uint8Array()
  return hashes.subarray(0, width * HASH_BYTES)
}

/** A leaf that is known to be of a row has no part if the row is not there: it was removed. */
function* entriesOf(
  leaves: readonly AuditLeaf[],
  { first, last }: { readonly first: number; readonly last: number },
): Generator<ExportPart> {
  let next = first
  for (const { index, entry } of leaves) {
    if (index > next) yield { kind: 'expired', index: next, count: index - next }
    if (entry !== null) yield { kind: 'entry', index, entry: logEntryOf(entry) }
    next = index + 1
  }
  if (next < last) yield { kind: 'expired', index: next, count: last - next }
}

/** Entries that were written since the checkpoint wait; others of none of its leaves nobody logged. */
async function* outsideOf(
  store: Pick<Store, 'auditEntriesOutside' | 'lostAuditEntries'>,
  { size, isAdopted }: { readonly size: number; readonly isAdopted: boolean },
): AsyncGenerator<ExportPart> {
  let after: AuditPosition | undefined
  do {
    const page = await store.auditEntriesOutside({ after, size, limit: ROWS_AT_ONCE })
    for (const { entry, waits } of page.entries) {
      yield { kind: 'outside', waits: waits || !isAdopted, entry: logEntryOf(entry) }
    }
    after = page.next ?? undefined
  } while (after !== undefined)
  for (const { auditId, at } of await store.lostAuditEntries()) {
    yield { kind: 'lost', auditId, at: at.toISOString() }
  }
}
