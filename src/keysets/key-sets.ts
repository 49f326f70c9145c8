import { forgetOldest } from '../base/forget-oldest.ts'
import { err, ok, type Result } from '../base/result.ts'
import { findKey, readJwks, type VerifyingKey } from '../oauth/key-set.ts'
import {
  FETCH_TIMEOUT_MS,
  FIRST_PAUSE_MS,
  FRESH_MS,
  MOST_PLACES,
  PAUSE_MS,
  POLL_MS,
  USABLE_MS,
} from './limits.ts'

/** Why it cannot be said now whether a key is one of its owner. Says nothing about who uses it. */
export const JWKS_FETCH_REASONS = ['jwks_unavailable'] as const

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type JwksFetchFailure = {
  readonly reason: (typeof JWKS_FETCH_REASONS)[number]
  readonly retryAfterSeconds: number
}

/**
 * Gets the JSON at an `https` URL, from a public address unless the configuration says otherwise.
 * `undefined` for whatever is not an answer of 200 with JSON of bounded size, in time.
 */
export type FetchJson = (url: string) => Promise<unknown>

/** Key sets that others publish, kept between requests as plain data. */
export type PublishedKeySets = {
  /**
   * The keys at `url`, which is one of a client or of the configuration, and never one of a token. A set that
   * is minutes old, or has no key `kid`, is fetched anew, twice a minute at most. Whether `kid` is among
   * the keys that are returned remains to be seen.
   */
  readonly keysAt: (
    url: string,
    kid: string | undefined,
  ) => Promise<Result<readonly VerifyingKey[], JwksFetchFailure>>
}

/** All that is known of one place; no promise is kept, as in a Worker no request may wait for another's. */
type Entry = {
  keys: readonly VerifyingKey[] | undefined
  /** Milliseconds of the epoch, of the last success and of the last try. */
  fetchedAt: number
  triedAt: number
  isUnderWay: boolean
  hasFailed: boolean
}

/**
 * A key that is known stays known for a day while its place is away. One that is not known may be one that
 * its owner has begun to use since: as long as no fetch says otherwise, the answer is `jwks_unavailable`.
 */
export function createPublishedKeySets(input: {
  readonly fetchJson: FetchJson
  readonly clock: () => Date
}): PublishedKeySets {
  const { fetchJson, clock } = input
  const entries = new Map<string, Entry>()
  return {
    async keysAt(url, kid) {
      const entry = entries.get(url) ?? newEntry()
      entries.set(url, entry)
      forgetOldest(entries, MOST_PLACES)
      const now = clock().getTime()
      const isKnown = hasKey(entry, kid)
      if (isKnown && ageOf(now, entry.fetchedAt) < FRESH_MS) return known(entry, kid, now)
      if (entry.isUnderWay && ageOf(now, entry.triedAt) < FETCH_TIMEOUT_MS) {
        // Whoever has a key that will do need not wait for a newer set.
        if (isKnown && isUsable(entry, now)) return known(entry, kid, now)
        await watch(entry)
      } else if (ageOf(now, entry.triedAt) >= pauseOf(entry)) {
        await refresh(entry, { url, fetchJson, clock })
      }
      return known(entry, kid, clock().getTime())
    },
  }
}

function newEntry(): Entry {
  const never = Number.NEGATIVE_INFINITY
  return { keys: undefined, fetchedAt: never, triedAt: never, isUnderWay: false, hasFailed: false }
}

/** A clock that was set back must not make anything young for ever. */
function ageOf(now: number, then: number): number {
  return Math.abs(now - then)
}

function hasKey({ keys }: Entry, kid: string | undefined): boolean {
  return keys !== undefined && findKey(keys, kid) !== undefined
}

function isUsable({ keys, fetchedAt }: Entry, now: number): boolean {
  return keys !== undefined && ageOf(now, fetchedAt) <= USABLE_MS
}

function pauseOf({ keys }: Entry): number {
  return keys === undefined ? FIRST_PAUSE_MS : PAUSE_MS
}

/** Answers from what is known now. */
function known(
  entry: Entry,
  kid: string | undefined,
  now: number,
): Result<readonly VerifyingKey[], JwksFetchFailure> {
  const { keys, hasFailed, isUnderWay } = entry
  const isDecided = hasKey(entry, kid) || (!hasFailed && !isUnderWay)
  if (keys !== undefined && isUsable(entry, now) && isDecided) return ok(keys)
  const wait = pauseOf(entry) - ageOf(now, entry.triedAt)
  return err({
    reason: 'jwks_unavailable',
    retryAfterSeconds: Math.max(1, Math.ceil(wait / 1000)),
  })
}

/** Waits for the fetch of another request by looking at its outcome; that one may never finish. */
async function watch(entry: Entry): Promise<void> {
  for (let look = 0; look * POLL_MS < FETCH_TIMEOUT_MS && entry.isUnderWay; look++) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function refresh(
  entry: Entry,
  input: { readonly url: string; readonly fetchJson: FetchJson; readonly clock: () => Date },
): Promise<void> {
  const startedAt = input.clock().getTime()
  entry.triedAt = startedAt
  entry.isUnderWay = true
  const read = readJwks(await input.fetchJson(input.url))
  // Given up for dead and succeeded by another, which knows better.
  if (entry.triedAt !== startedAt) return
  entry.isUnderWay = false
  entry.hasFailed = !read.ok
  if (!read.ok) return
  entry.keys = read.value.keys
  entry.fetchedAt = startedAt
}
