import { COUNTED_KEYS } from '../preview/limits.ts'
import { compareKeys, createTally, type TallyKey } from '../preview/tally.ts'
import type { DrillBreakdown, DrillCounts, DrillExample } from './summary.ts'

/** When a device loses access, in milliseconds of the epoch; `undefined` for not in the outage. */
export type DeviceLosses = {
  readonly deviceId: string
  readonly withoutGrace: number | undefined
  readonly withGrace: number | undefined
}

/** Counts devices by label, owner or verifier, in bounded memory. */
export type Groups = {
  readonly add: (keys: readonly TallyKey[], losses: DeviceLosses) => void
  readonly summary: (listed: number) => DrillBreakdown
}

const TRUSTED = [0]
const LOST_WITHOUT = [0, 1]
const LOST_WITH = [0, 1, 2]
const NO_KEY: readonly TallyKey[] = [null]
const EXAMPLES_A_KEY = 3

export function createGroups(): Groups {
  const tally = createTally(3)
  const examples = createExamplesByKey((key) => tally.get(key) !== undefined)
  return {
    add(keys, losses) {
      const columns = columnsOf(losses)
      for (const key of keys.length === 0 ? NO_KEY : keys) {
        tally.add(key, columns)
        if (columns !== TRUSTED) examples.add(key, losses)
      }
    },
    summary(listed) {
      const keys = tally
        .entries()
        .map(([key, counts]) => ({ key, ...countsOf(counts) }))
        .sort((a, b) => compareCounts(a, b) || compareKeys(a.key, b.key))
        .slice(0, listed)
        .map((row) => ({ ...row, examples: examples.list(row.key) }))
      const all = countsOf(tally.totals)
      const left = (name: keyof DrillCounts) =>
        all[name] - keys.reduce((sum, row) => sum + row[name], 0)
      return {
        keys,
        others: {
          trusted: left('trusted'),
          without_grace: left('without_grace'),
          with_grace: left('with_grace'),
        },
        complete: tally.isWhole(),
      }
    },
  }
}

/** `isCounted`: a key that is counted no more never is again. */
function createExamplesByKey(isCounted: (key: TallyKey) => boolean) {
  const byKey = new Map<TallyKey, Examples>()
  return {
    add(key: TallyKey, losses: DeviceLosses): void {
      if (!isCounted(key)) return
      let kept = byKey.get(key)
      if (kept === undefined) {
        if (byKey.size >= 2 * COUNTED_KEYS) {
          for (const one of byKey.keys()) if (!isCounted(one)) byKey.delete(one)
        }
        kept = createExamples(EXAMPLES_A_KEY)
        byKey.set(key, kept)
      }
      kept.add(losses)
    },
    list: (key: TallyKey) => byKey.get(key)?.list() ?? [],
  }
}

function columnsOf({ withoutGrace, withGrace }: DeviceLosses): readonly number[] {
  if (withGrace !== undefined) return LOST_WITH
  return withoutGrace === undefined ? TRUSTED : LOST_WITHOUT
}

function countsOf(counts: readonly number[]): DrillCounts {
  const [trusted = 0, without_grace = 0, with_grace = 0] = counts
  return { trusted, without_grace, with_grace }
}

function compareCounts(a: DrillCounts, b: DrillCounts): number {
  return b.with_grace - a.with_grace || b.without_grace - a.without_grace || b.trusted - a.trusted
}

export type Examples = {
  readonly add: (losses: DeviceLosses) => void
  readonly list: () => readonly DrillExample[]
}

/** Those that lose access first, whatever the order in which devices come. */
export function createExamples(most: number): Examples {
  const kept: DeviceLosses[] = []
  return {
    add(losses) {
      const last = kept.at(-1)
      if (kept.length >= most && last !== undefined && compareLosses(losses, last) >= 0) return
      kept.push(losses)
      kept.sort(compareLosses)
      if (kept.length > most) kept.pop()
    },
    list: () =>
      kept.flatMap(({ deviceId, withoutGrace, withGrace }) => {
        if (withoutGrace === undefined) return []
        const with_grace = withGrace === undefined ? null : new Date(withGrace).toISOString()
        const without_grace = new Date(withoutGrace).toISOString()
        return [{ device_id: deviceId, without_grace, with_grace }]
      }),
  }
}

function compareLosses(a: DeviceLosses, b: DeviceLosses): number {
  return (
    compareTimes(a.withGrace, b.withGrace) ||
    compareTimes(a.withoutGrace, b.withoutGrace) ||
    compareKeys(a.deviceId, b.deviceId)
  )
}

function compareTimes(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0
  return (a ?? Infinity) - (b ?? Infinity)
}
