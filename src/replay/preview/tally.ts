import { spreadOf } from '../../base/spread.ts'
import { COUNTED_KEYS } from './limits.ts'

/** `null` stands for having no label or no owner. */
export type TallyKey = string | null

/** Counts by key in several columns. However many keys there are, so many are kept. */
export type Tally = {
  readonly add: (key: TallyKey, columns: readonly number[]) => void
  readonly get: (key: TallyKey) => readonly number[] | undefined
  readonly entries: () => readonly (readonly [TallyKey, readonly number[]])[]
  /** Of all keys, those that are not kept among them. */
  readonly totals: readonly number[]
  /** No key was left out. */
  readonly isWhole: () => boolean
}

/**
 * Of too many keys those with the smallest hashes are kept, with exact counts: a key is dropped only
 * when enough smaller ones are known, and then it never comes back. So what is kept depends on the
 * keys and not on their order.
 */
export function createTally(columns: number, keysMost = COUNTED_KEYS): Tally {
  const counts = new Map<TallyKey, number[]>()
  const totals = new Array<number>(columns).fill(0)
  /** Kept keys are not above it. */
  let ceiling: TallyKey | undefined
  const prune = () => {
    const kept = [...counts.keys()].sort(compareByHash).slice(0, keysMost)
    ceiling = kept.at(-1)
    const wanted = new Set(kept)
    for (const key of counts.keys()) if (!wanted.has(key)) counts.delete(key)
  }
  return {
    add(key, added) {
      let row = counts.get(key)
      if (row === undefined) {
        if (ceiling === undefined || compareByHash(key, ceiling) <= 0) {
          row = new Array<number>(columns).fill(0)
          counts.set(key, row)
          if (counts.size >= 2 * keysMost) prune()
        }
      }
      for (const column of added) {
        totals[column] = (totals[column] ?? 0) + 1
        if (row !== undefined) row[column] = (row[column] ?? 0) + 1
      }
    },
    get: (key) => counts.get(key),
    entries() {
      if (counts.size > keysMost) prune()
      return [...counts]
    },
    totals,
    isWhole: () => ceiling === undefined && counts.size <= keysMost,
  }
}

function compareByHash(a: TallyKey, b: TallyKey): number {
  return hashOf(a) - hashOf(b) || compareKeys(a, b)
}

export function compareKeys(a: TallyKey, b: TallyKey): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return a < b ? -1 : 1
}

function hashOf(key: TallyKey): number {
  return key === null ? -1 : spreadOf(key)
}
