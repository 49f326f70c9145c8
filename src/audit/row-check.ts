import { toBase64 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { compareRows, type DifferenceKind, EXPIRED, type RowHash } from './compare-rows.ts'
import { hashEntry, type LogEntry } from './entry.ts'
import type { ExportPart } from './export-lines.ts'

export const ROW_REASONS = [
  'audit_row_changed',
  'audit_row_removed',
  'audit_row_inserted',
  'audit_rows_reordered',
] as const

/** The first row that is not as it was logged. */
export type RowFailure = {
  readonly reason: (typeof ROW_REASONS)[number]
  /** Of its leaf; what was inserted outside of all leaves has none. */
  readonly index?: number
  /** What stands there now, if anything does. */
  readonly entry?: LogEntry
  /** Of a row that is gone, where that is known: its `audit_id`. */
  readonly auditId?: string
}

const REASON_OF: Readonly<Record<DifferenceKind, RowFailure['reason']>> = {
  changed: 'audit_row_changed',
  removed: 'audit_row_removed',
  inserted: 'audit_row_inserted',
  reordered: 'audit_rows_reordered',
}

/** The action of entries that say which rows go, before they do. */
export const EXPIRY_ACTION = 'audit.rows-expired'

const LATE_MS = 3_600_000

export type RowCounts = {
  readonly proven: number
  readonly expired: number
  readonly waiting: number
  readonly late: number
}

/** Compares the entries of an export with its leaves, tile by tile. */
export type RowCheck = {
  /** Leaves that the next entries have to be of. */
  readonly begin: (leaves: readonly Uint8Array[]) => void
  /** Anything but a tile; `false` for what cannot stand here. */
  readonly take: (part: ExportPart) => boolean
  readonly end: () => Result<RowCounts, RowFailure>
}

type Row = { readonly hash: RowHash; readonly entry?: LogEntry }

type Difference = RowFailure & {
  readonly leaf: string | undefined
  readonly row: RowHash | undefined
}

export function createRowCheck(): RowCheck {
  let [begun, leaves, rows]: [number, readonly string[], Row[]] = [0, [], []]
  let isPastTiles = false
  let first: Difference | undefined
  let outside: RowFailure | undefined
  let firstExpired: number | undefined
  const [missing, extra] = [new Set<string>(), new Set<string>()]
  const counts = { proven: 0, expired: 0, waiting: 0, late: 0 }
  let [saidToExpire, newest] = [0, 0]

  const finish = () => {
    const difference = compareRows(
      leaves,
      rows.map(({ hash }) => hash),
    )
    if (difference !== undefined) {
      for (const hash of difference.missing) missing.add(hash)
      for (const hash of difference.extra) extra.add(hash)
      const { entry, hash: row } = rows[difference.at] ?? {}
      first ??= {
        reason: REASON_OF[difference.kind],
        index: begun + difference.at,
        ...(entry !== undefined && { entry }),
        leaf: leaves[difference.at],
        row,
      }
    }
    begun += leaves.length
    ;[leaves, rows] = [[], []]
  }

  const takeEntry = (index: number, entry: LogEntry) => {
    const bytes = hashEntry(entry)
    const hash = bytes === undefined ? '' : toBase64(bytes)
    // What an entry says of its place is no part of its hash.
    const isPlaced = index === begun + rows.length
    if (!isPlaced && hash === leaves[rows.length]) {
      first ??= { reason: 'audit_rows_reordered', index, entry, leaf: undefined, row: undefined }
    }
    rows.push({ hash, entry })
    counts.proven += 1
    const at = Date.parse(entry.at)
    if (at < newest - LATE_MS) counts.late += 1
    newest = Math.max(newest, at || 0)
    if (entry.action === EXPIRY_ACTION) saidToExpire = Math.max(saidToExpire, rowsOf(entry))
  }

  return {
    begin(hashes) {
      finish()
      leaves = hashes.map(toBase64)
    },
    take(part) {
      if (part.kind === 'entry' && !isPastTiles) {
        takeEntry(part.index, part.entry)
        return leaves.length > 0
      }
      if (part.kind === 'expired' && !isPastTiles) {
        firstExpired ??= part.index
        counts.expired += part.count
        if (rows.length + part.count > leaves.length) return false
        for (let row = 0; row < part.count; row += 1) rows.push({ hash: EXPIRED })
        return true
      }
      isPastTiles = true
      if (part.kind === 'outside') {
        if (part.waits) counts.waiting += 1
        else outside ??= { reason: 'audit_row_inserted', entry: part.entry }
        return true
      }
      if (part.kind !== 'lost') return false
      outside ??= { reason: 'audit_row_removed', auditId: part.auditId }
      return true
    },
    end() {
      finish()
      if (first !== undefined) return err(reportOf(first, missing, extra))
      if (counts.expired > saidToExpire && firstExpired !== undefined) {
        return err({ reason: 'audit_row_removed', index: firstExpired })
      }
      return outside === undefined ? ok(counts) : err(outside)
    },
  }
}

/** A row that is missing in one tile and found in another one was moved there. */
function reportOf(
  { leaf, row, ...failure }: Difference,
  missing: ReadonlySet<string>,
  extra: ReadonlySet<string>,
): RowFailure {
  const isLeafElsewhere = leaf !== undefined && extra.has(leaf)
  const isRowFromElsewhere = typeof row === 'string' && missing.has(row)
  return isLeafElsewhere || isRowFromElsewhere
    ? { ...failure, reason: 'audit_rows_reordered' }
    : failure
}

/** How many rows have gone in all, as an entry says that says so. */
function rowsOf({ detail }: LogEntry): number {
  const rows = Object(detail).rowsInAll
  return Number.isSafeInteger(rows) ? rows : 0
}
