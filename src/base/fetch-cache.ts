import { forgetOldest } from './forget-oldest.ts'
import { err, ok, type Result } from './result.ts'

/** When something is fetched anew. */
export type FetchTimes = {
  /** Age from which a value is fetched anew by whoever uses it next. */
  readonly freshMs: number
  /** Age to which a value is used while its place cannot be reached. */
  readonly usableMs: number
  /** Between two fetches of one place, whatever is looked for. */
  readonly pauseMs: number
  /** Until a place of which nothing is known yet is asked again after a failure. */
  readonly firstPauseMs: number
  /** The longest that one fetch can take. */
  readonly timeoutMs: number
}

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type Unavailable<R extends string> = {
  readonly reason: R
  readonly retryAfterSeconds: number
}

/** What others publish, by the place where they do. */
export type FetchCache<T, R extends string> = {
  /**
   * The value at a place. One that has grown old, or has not what is looked for (`hasWanted`), is fetched
   * anew, though no oftener than its pause allows. Whether the value that is returned has it remains to be seen.
   */
  readonly get: (
    place: string,
    hasWanted: (value: T) => boolean,
  ) => Promise<Result<T, Unavailable<R>>>
  /** What is at hand of a place, however old; nothing is fetched. */
  readonly known: (place: string) => T | undefined
  /** How the fetches of a place went. `available`: it answered when it was last asked, or was never asked. */
  readonly state: (place: string) => {
    readonly fetchedAt: Date | undefined
    readonly available: boolean
  }
}

/** All that is known of one place; no promise is kept, as in a Worker no request may wait for another's. */
type Entry<T> = {
  value: T | undefined
  /** Milliseconds of the epoch, of the last success and of the last try. */
  fetchedAt: number
  triedAt: number
  isUnderWay: boolean
  hasFailed: boolean
}

/** How often a request looks whether another one's fetch is over. */
const POLL_MS = 20
/** Places that are remembered; past these the one that came first is fetched anew when it is next asked for. */
const MOST_PLACES = 512

/**
 * Keeps what was fetched between requests. A failed fetch has two sides. What is known stays known, for
 * `usableMs`. What is looked for and not known may be something that its owner has published since, so that
 * "there is none" would make a verdict of an outage: then the answer is `unavailable`, also while no further
 * fetch is allowed, until a fetch succeeds.
 */
export function createFetchCache<T, R extends string>(input: {
  /** `undefined` for whatever is not such a value, straight from its own place. Never throws. */
  readonly fetchValue: (place: string) => Promise<T | undefined>
  readonly times: FetchTimes
  readonly unavailable: R
  readonly clock: () => Date
}): FetchCache<T, R> {
  const { fetchValue, times, unavailable, clock } = input
  const entries = new Map<string, Entry<T>>()
  const entryOf = (place: string): Entry<T> => {
    const entry = entries.get(place) ?? newEntry<T>()
    entries.set(place, entry)
    forgetOldest(entries, MOST_PLACES)
    return entry
  }
  const isUsable = ({ fetchedAt }: Entry<T>, now: number) => age(now, fetchedAt) <= times.usableMs
  const pauseOf = ({ value }: Entry<T>) =>
    value === undefined ? times.firstPauseMs : times.pauseMs
  const refresh = async (entry: Entry<T>, place: string) => {
    const startedAt = clock().getTime()
    entry.triedAt = startedAt
    entry.isUnderWay = true
    const value = await fetchValue(place)
    // Given up for dead and succeeded by another, which knows better.
    if (entry.triedAt !== startedAt) return
    entry.isUnderWay = false
    entry.hasFailed = value === undefined
    if (value === undefined) return
    entry.value = value
    entry.fetchedAt = startedAt
  }

  return {
    async get(place, hasWanted) {
      const entry = entryOf(place)
      const isKnown = () => entry.value !== undefined && hasWanted(entry.value)
      const answer = (now: number): Result<T, Unavailable<R>> => {
        const { value, hasFailed, isUnderWay, triedAt } = entry
        const isDecided = isKnown() || (!hasFailed && !isUnderWay)
        if (value !== undefined && isUsable(entry, now) && isDecided) return ok(value)
        const wait = pauseOf(entry) - age(now, triedAt)
        const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1000))
        return err({ reason: unavailable, retryAfterSeconds })
      }
      const now = clock().getTime()
      if (isKnown() && age(now, entry.fetchedAt) < times.freshMs) return answer(now)
      if (entry.isUnderWay && age(now, entry.triedAt) < times.timeoutMs) {
        // Whoever has what will do need not wait for something newer.
        if (isKnown() && isUsable(entry, now)) return answer(now)
        await watch(entry, times.timeoutMs)
      } else if (age(now, entry.triedAt) >= pauseOf(entry)) {
        await refresh(entry, place)
      }
      return answer(clock().getTime())
    },
    known: (place) => entries.get(place)?.value,
    state(place) {
      const { value, fetchedAt, hasFailed } = entryOf(place)
      return {
        fetchedAt: value === undefined ? undefined : new Date(fetchedAt),
        available: !hasFailed,
      }
    },
  }
}

function newEntry<T>(): Entry<T> {
  const never = Number.NEGATIVE_INFINITY
  return { value: undefined, fetchedAt: never, triedAt: never, isUnderWay: false, hasFailed: false }
}

/** A clock that was set back must not make anything young for ever. */
function age(now: number, then: number): number {
  return Math.abs(now - then)
}

/**
 * Waits for the fetch of another request by looking at its outcome: to await its promise is forbidden in a
 * Worker. A request that was cancelled never finishes its fetch, hence the limit.
 */
async function watch(entry: Entry<unknown>, timeoutMs: number): Promise<void> {
  const looks = Math.ceil(timeoutMs / POLL_MS)
  for (let look = 0; look < looks && entry.isUnderWay; look++) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
