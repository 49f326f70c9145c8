import type { VerdictReason } from '../../access/verdict.ts'
import { EXAMPLE_DEVICES } from './limits.ts'
import type { ClauseChange } from './summary.ts'
import { compareKeys, createTally, type Tally } from './tally.ts'

/** Counts devices by the clauses that deny them. */
export type ClauseChanges = {
  readonly add: (deviceId: string, reasons: readonly VerdictReason[]) => void
  readonly summary: (compared: number) => readonly ClauseChange[]
}

const CAUSES_COUNTED = 64

export function createClauseChanges(): ClauseChanges {
  const counters = new Map<string, Counter>()
  return {
    add(deviceId, reasons) {
      for (const reason of reasons) {
        if (!('clause' in reason)) continue
        let counter = counters.get(reason.clause)
        if (counter === undefined) {
          const causes = createTally(1, CAUSES_COUNTED)
          counter = { devices: 0, undecidable: 0, causes, examples: [] }
          counters.set(reason.clause, counter)
        }
        counter.devices += 1
        keepExample(counter.examples, deviceId)
        if (reason.code !== 'clause_undecidable') continue
        counter.undecidable += 1
        if (reason.cause !== undefined) counter.causes.add(reason.cause, [0])
      }
    },
    summary: (compared) =>
      [...counters]
        .map(([clause, { devices, undecidable, causes, examples }]) => ({
          clause,
          devices,
          share: shareOf(devices, compared),
          undecidable,
          cause: mostFrequent(causes),
          examples: [...examples],
        }))
        .sort((a, b) => b.devices - a.devices || compareKeys(a.clause, b.clause)),
  }
}

type Counter = {
  devices: number
  undecidable: number
  readonly causes: Tally
  readonly examples: string[]
}

/** The smallest ids, so that they do not depend on the order in which devices come. */
export function keepExample(examples: string[], deviceId: string): void {
  const last = examples.at(-1)
  if (examples.length >= EXAMPLE_DEVICES && last !== undefined && deviceId >= last) return
  examples.push(deviceId)
  examples.sort()
  if (examples.length > EXAMPLE_DEVICES) examples.pop()
}

export function mostFrequent(tally: Tally): string | null {
  const [first] = [...tally.entries()].sort(
    ([a, [many = 0]], [b, [more = 0]]) => more - many || compareKeys(a, b),
  )
  return first?.[0] ?? null
}

/** To one in a million. */
export function shareOf(devices: number, compared: number): number {
  return compared === 0 ? 0 : Math.round((devices / compared) * 1e6) / 1e6
}
