import type { Log, LogFields } from './log.ts'

/**
 * Lines that anybody can bring about, so many a minute of each kind. Those that were left out are told
 * with the first line of the next minute, so that a flood is seen and does not become one of the log.
 */
export type LogBudget = {
  /** `kind` is one of few: an event and a reason, never what a caller says. */
  readonly write: (
    level: 'info' | 'warn',
    event: string,
    kind: string,
    fields: LogFields,
    now: Date,
  ) => void
}

const MINUTE_MS = 60_000
const LINES_A_MINUTE = 60

export function createLogBudget(log: Log, perMinute = LINES_A_MINUTE): LogBudget {
  const kinds = new Map<string, { minute: number; written: number; leftOut: number }>()
  return {
    write(level, event, kind, fields, now) {
      const minute = Math.floor(now.getTime() / MINUTE_MS)
      const key = `${event} ${kind}`
      const known = kinds.get(key)
      const tally = known ?? { minute, written: 0, leftOut: 0 }
      kinds.set(key, tally)
      if (tally.minute !== minute) {
        tally.minute = minute
        tally.written = 0
      }
      if (tally.written >= perMinute) {
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
