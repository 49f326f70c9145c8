import { LISTED_KEYS } from './limits.ts'
import type { Breakdown, BreakdownRow } from './summary.ts'
import { compareKeys, createTally, type TallyKey } from './tally.ts'

/** How the answer to a device changes; an undecidable one is also denied. */
export const CHANGED = { denied: 0, undecidable: 1, refused: 2, allowed: 3, later: 4 } as const

/** Counts compared devices by label, ring, owner or issuer, and those whose answer changes. */
export type BreakdownCounter = {
  readonly add: (keys: readonly TallyKey[], changes: readonly number[]) => void
  readonly summary: () => Breakdown
}

const ALL = [0]
const NO_KEY: readonly TallyKey[] = [null]

export function createBreakdown(): BreakdownCounter {
  const compared = createTally(1)
  // Apart from the others: where there are too many keys, those are still told that change.
  const changed = createTally(5)
  return {
    add(keys, changes) {
      for (const key of keys.length === 0 ? NO_KEY : keys) {
        compared.add(key, ALL)
        if (changes.length > 0) changed.add(key, changes)
      }
    },
    summary() {
      const rows = changed
        .entries()
        .map(([key, counts]) => rowOf(key, counts, compared.get(key)?.[0] ?? null))
        .sort(compareRows)
        .slice(0, LISTED_KEYS)
      const left = (column: number, name: keyof typeof NAMES) =>
        (changed.totals[column] ?? 0) - rows.reduce((sum, row) => sum + row[NAMES[name]], 0)
      return {
        keys: rows,
        others: {
          newly_denied: left(CHANGED.denied, 'denied'),
          newly_undecidable: left(CHANGED.undecidable, 'undecidable'),
          newly_refused: left(CHANGED.refused, 'refused'),
          newly_allowed: left(CHANGED.allowed, 'allowed'),
          denied_later: left(CHANGED.later, 'later'),
        },
        complete: changed.isWhole() && compared.isWhole(),
      }
    },
  }
}

const NAMES = {
  denied: 'newly_denied',
  undecidable: 'newly_undecidable',
  refused: 'newly_refused',
  allowed: 'newly_allowed',
  later: 'denied_later',
} as const

function rowOf(key: TallyKey, counts: readonly number[], compared: number | null): BreakdownRow {
  return {
    key,
    compared,
    newly_denied: counts[CHANGED.denied] ?? 0,
    newly_undecidable: counts[CHANGED.undecidable] ?? 0,
    newly_refused: counts[CHANGED.refused] ?? 0,
    newly_allowed: counts[CHANGED.allowed] ?? 0,
    denied_later: counts[CHANGED.later] ?? 0,
  }
}

function compareRows(a: BreakdownRow, b: BreakdownRow): number {
  const lossesOf = (row: BreakdownRow) => row.newly_denied + row.newly_refused + row.denied_later
  return lossesOf(b) - lossesOf(a) || b.newly_allowed - a.newly_allowed || compareKeys(a.key, b.key)
}
