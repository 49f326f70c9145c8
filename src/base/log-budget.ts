import type { Log, LogFields } from './log.ts'

/**
 * Lines that anybody, or an outage, can bring about, so many of each kind in a while. Those that were
 * left out are told with the first line of the next while (`left_out`), so that a flood is seen and does
 * not become one of the log.
 */
export type LogBudget = {
  /** `kind` is one of few: an event and a reason, never what a caller says. */
  readonly write: (
    level: 'info' | 'warn' | 'error',
    event: string,
    kind: string,
    fields: LogFields,
    now: Date,
  ) => void
}

const MINUTE_MS = 60_000
const LINES_A_MINUTE = 60

export function createLogBudget(
  log: Log,
  { lines = LINES_A_MINUTE, everyMs = MINUTE_MS } = {},
): LogBudget {
  const kinds = new Map<string, { period: number; written: number; leftOut: number }>()
  return {
    write(level, event, kind, fields, now) {
      const period = Math.floor(now.getTime() / everyMs)
      const key = `${event} ${kind}`
      const known = kinds.get(key)
      const tally = known ?? { period, written: 0, leftOut: 0 }
      kinds.set(key, tally)
      if (tally.period !== period) {
        tally.period = period
        tally.written = 0
      }
      if (tally.written >= lines) {
        tally.leftOut += 1
        return
      }
      tally.written += 1
      const told = tally.leftOut > 0 ? { ...fields, left_out: tally.leftOut } : fields
      tally.leftOut = 0
      log[level](event, told)
    },
  }
}
