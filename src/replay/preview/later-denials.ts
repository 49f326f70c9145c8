import { keepExample, shareOf } from './clause-changes.ts'
import type { Attested } from './compare.ts'
import { LISTED_KEYS } from './limits.ts'
import type { Ending } from './look-ahead.ts'
import type { LaterDenials, Span } from './summary.ts'
import { compareKeys, createTally } from './tally.ts'

/** Counts what ends for devices by when, and by what ends it. */
export function createLaterDenials(): {
  readonly add: (record: Attested, ending: Ending) => void
  readonly summary: (compared: number) => LaterDenials
} {
  const dates = createTally(1)
  const causes = new Map<string, SpanCounter & { readonly examples: string[] }>()
  let devices = 0
  return {
    add({ deviceId }, { at, reasons }) {
      devices += 1
      dates.add(new Date(at).toISOString(), FIRST)
      for (const reason of reasons) {
        const cause = 'clause' in reason ? reason.clause : reason.code
        const counter = causes.get(cause) ?? { ...emptySpan(), examples: [] }
        causes.set(cause, counter)
        addToSpan(counter, at)
        keepExample(counter.examples, deviceId)
      }
    },
    summary(compared) {
      const all = dates
        .entries()
        .map(([at, [count = 0]]) => ({ at: at ?? '', devices: count }))
        .sort((a, b) => compareKeys(a.at, b.at))
      const by_date = all.slice(0, LISTED_KEYS)
      const listed = by_date.reduce((sum, one) => sum + one.devices, 0)
      return {
        devices,
        share: shareOf(devices, compared),
        by_date,
        later_dates: devices - listed,
        by_cause: [...causes]
          .map(([cause, { examples, ...span }]) => {
            return {
              cause,
              ...spanOf(span),
              share: shareOf(span.devices, compared),
              examples: [...examples],
            }
          })
          .sort((a, b) => b.devices - a.devices || compareKeys(a.cause, b.cause)),
      }
    },
  }
}

const FIRST = [0]

export type SpanCounter = { devices: number; first: number; last: number }

export function emptySpan(): SpanCounter {
  return { devices: 0, first: Infinity, last: -Infinity }
}

export function addToSpan(span: SpanCounter, at: number): void {
  span.devices += 1
  span.first = Math.min(span.first, at)
  span.last = Math.max(span.last, at)
}

export function spanOf({ devices, first, last }: SpanCounter): Span {
  const text = (at: number) => (devices === 0 ? null : new Date(at).toISOString())
  return { devices, first: text(first), last: text(last) }
}
