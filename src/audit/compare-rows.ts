/** What was done to the first row that is not as it was logged. */
export type DifferenceKind = 'changed' | 'removed' | 'inserted' | 'reordered'

/** The first place where rows differ from the leaves that were made of them. */
export type RowsDifference = {
  readonly kind: DifferenceKind
  /** Of the leaf, or, of what was inserted, where it stands. */
  readonly at: number
  /** Leaves that no row belongs to, and rows that no leaf belongs to: by them a row is found elsewhere. */
  readonly missing: readonly string[]
  readonly extra: readonly string[]
}

/** `EXPIRED` for a row that is past its retention, and stands for whatever leaf there is at its place. */
export type RowHash = string | typeof EXPIRED

export const EXPIRED = Symbol('expired')

/** Compares rows with leaves, both by their hashes. */
export function compareRows(
  leaves: readonly string[],
  rows: readonly RowHash[],
): RowsDifference | undefined {
  const isAsLogged = (leaf: string | undefined, row: RowHash | undefined) =>
    leaf !== undefined && (row === EXPIRED || row === leaf)
  for (let at = 0; at < Math.max(leaves.length, rows.length); at += 1) {
    if (isAsLogged(leaves[at], rows[at])) continue
    return { kind: kindAt(leaves, rows, at), at, ...unmatched(leaves, rows) }
  }
  return undefined
}

function kindAt(leaves: readonly string[], rows: readonly RowHash[], at: number): DifferenceKind {
  const leaf = leaves[at]
  const row = rows[at]
  if (leaf === undefined || row === EXPIRED) return 'inserted'
  if (row === undefined) return 'removed'
  // No two leaves are the same, as each entry has an id of its own.
  if (rows.indexOf(row) !== rows.lastIndexOf(row)) return 'inserted'
  const [isLeafThere, isRowLogged] = [rows.includes(leaf), leaves.includes(row)]
  if (isLeafThere) return isRowLogged ? 'reordered' : 'inserted'
  return isRowLogged ? 'removed' : 'changed'
}

function unmatched(leaves: readonly string[], rows: readonly RowHash[]) {
  const [logged, found] = [new Set<RowHash>(leaves), new Set(rows)]
  return {
    missing: leaves.filter((leaf, at) => !found.has(leaf) && rows[at] !== EXPIRED),
    extra: rows.filter((row) => typeof row === 'string').filter((row) => !logged.has(row)),
  }
}
