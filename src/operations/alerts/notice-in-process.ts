import type { Counter, Gauge } from 'prom-client'
import type { Alarm, AlarmName, AlarmValue } from '../../alerts/alarms.ts'
import type { Metrics } from '../../base/metrics.ts'

/** What happened in a moment is told for so long, and for so long again when it happens again. */
const STANDS_MS = 15 * 60_000
/** Wrong secrets a minute from which somebody is trying them out; one who mistyped one is not. */
const GUESSES_A_MINUTE = 30
const FAULTS_A_MINUTE = 6
/** Attempts a round below which a share says nothing. */
const LEAST_ATTEMPTS = 20

type Watched = Pick<
  Metrics,
  | 'breakGlass'
  | 'clientRefusals'
  | 'faults'
  | 'storeFaults'
  | 'refusals'
  | 'attestations'
  | 'decisionLinesLeftOut'
  | 'sharedKeys'
  | 'partitionsMissing'
>

/**
 * Notices what happens in this process alone, and stands in no database, by what its own metrics have counted since
 * the last call: so nothing is added to what is counted. The first call notices what was counted since the start.
 */
export function createProcessNotices(metrics: Watched): (now: Date) => Promise<readonly Alarm[]> {
  const before = new Map<string, number>()
  let last: Date | undefined
  const since = (name: string, count: number) => {
    const more = count - (before.get(name) ?? 0)
    before.set(name, count)
    return more
  }
  return async (now) => {
    const until = new Date(now.getTime() + STANDS_MS)
    // What comes within one minute counts as if it took one: a few at once are no rate.
    const minutes = Math.max(1, (now.getTime() - (last ?? now).getTime()) / 60_000)
    last = now
    const counted = async (name: string, counter: Counter<string>, only: Labels = {}) =>
      since(name, await sumOf(counter, only))
    const granted = await counted('granted', metrics.breakGlass, { outcome: 'granted' })
    const guesses = await counted('guesses', metrics.clientRefusals, GUESSED)
    const faults = await counted('faults', metrics.faults)
    const storeFaults = await counted('store', metrics.storeFaults)
    const refused = await counted('refused', metrics.refusals)
    const recorded = await counted('recorded', metrics.attestations)
    const leftOut = await counted('left out', metrics.decisionLinesLeftOut)
    const shared = await counted('shared', metrics.sharedKeys)
    const missing = await sumOf(metrics.partitionsMissing)
    const attempts = refused + recorded
    const noticed: readonly (readonly [AlarmName, boolean, Detail])[] = [
      ['break_glass_used', granted > 0, { times: granted }],
      ['clients_guessed', guesses >= GUESSES_A_MINUTE * minutes, { guesses }],
      ['service_faults', faults > FAULTS_A_MINUTE * minutes, { faults }],
      ['database_away', storeFaults > 0, { requests: storeFaults }],
      [
        'attestations_refused',
        attempts >= LEAST_ATTEMPTS && refused >= attempts / 2,
        { refused, attempts },
      ],
      ['decision_lines_left_out', leftOut > 0, { lines: leftOut }],
      ['request_keys_shared', shared > 0, { times: shared }],
      ['partitions_missing', missing > 0, { partitions: missing }],
    ]
    return noticed.flatMap(([name, isSo, detail]) =>
      isSo ? [{ name, subject: '', level: '', detail, until }] : [],
    )
  }
}

type Labels = Readonly<Record<string, string>>
type Detail = Readonly<Record<string, AlarmValue>>

const GUESSED = { reason: 'client_secret_wrong' }

async function sumOf(metric: Counter<string> | Gauge<string>, only: Labels = {}): Promise<number> {
  const { values } = await metric.get()
  return values
    .filter(({ labels }) => Object.entries(only).every(([name, value]) => labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0)
}
