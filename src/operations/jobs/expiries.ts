/**
 * The ends of evidence that come within a minute, as whatever looks at devices notes them (`lookAt`), so that they
 * are told to a part of a second (`announceExpired`) and not only when the sweep comes by.
 *
 * It is kept in memory and is no record. An end that is not noted here, or is lost with the process, is told by the
 * sweep in its next cycle, however long that takes; and before that, where there is a list of statuses, by
 * `examineDue`, which knows the end of every device that is listed as trusted from the database, to the minute. The list
 * cannot rest on this alone, nor this on the list, which may be off. Whichever comes first tells, and the others
 * find nothing to tell.
 */
export type Expiries = {
  readonly note: (deviceId: string, when: { readonly until: Date; readonly now: Date }) => void
  /** Those whose end has come, at most `limit`; they are noted no longer. */
  readonly due: (now: Date, limit: number) => readonly string[]
}

const SOON_MS = 60_000
/** More devices than these wait for the sweep. */
const NOTED_MOST = 20_000

export function createExpiries(): Expiries {
  const noted = new Map<string, number>()
  return {
    note(deviceId, { until, now }) {
      const left = until.getTime() - now.getTime()
      if (left <= 0 || left > SOON_MS) return
      if (noted.size < NOTED_MOST || noted.has(deviceId)) noted.set(deviceId, until.getTime())
    },
    due(now, limit) {
      const found: string[] = []
      for (const [deviceId, until] of noted) {
        if (until > now.getTime()) continue
        noted.delete(deviceId)
        found.push(deviceId)
        if (found.length === limit) break
      }
      return found
    },
  }
}
