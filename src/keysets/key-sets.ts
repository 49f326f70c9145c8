import { createFetchCache, type Unavailable } from '../base/fetch-cache.ts'
import type { Result } from '../base/result.ts'
import { findKey, type JwksFailure, readJwks, type VerifyingKey } from '../oauth/key-set.ts'
import { FETCH_TIMEOUT_MS, FIRST_PAUSE_MS, FRESH_MS, PAUSE_MS, USABLE_MS } from './limits.ts'

/** Why it cannot be said now whether a key is one of its owner. Says nothing about who uses it. */
export const JWKS_FETCH_REASONS = ['jwks_unavailable'] as const

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type JwksFetchFailure = Unavailable<(typeof JWKS_FETCH_REASONS)[number]>

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

/**
 * A set that says that there is no key any more, or that gives a private key away, is its owner's word and no outage:
 * what was known before it counts no more.
 */
const NO_KEYS: ReadonlySet<JwksFailure['reason']> = new Set(['jwks_empty', 'jwks_private_key'])

/** A key that is known stays known for a day while its place is away. */
export function createPublishedKeySets(input: {
  readonly fetchJson: FetchJson
  readonly clock: () => Date
}): PublishedKeySets {
  const { fetchJson, clock } = input
  const cache = createFetchCache({
    clock,
    unavailable: 'jwks_unavailable',
    times: {
      ...{ freshMs: FRESH_MS, usableMs: USABLE_MS, timeoutMs: FETCH_TIMEOUT_MS },
      ...{ pauseMs: PAUSE_MS, firstPauseMs: FIRST_PAUSE_MS },
    },
    async fetchValue(url) {
      const read = readJwks(await fetchJson(url))
      if (read.ok) return read.value.keys
      return NO_KEYS.has(read.failure.reason) ? [] : undefined
    },
  })
  return {
    keysAt: (url, kid) => cache.get(url, (keys) => findKey(keys, kid) !== undefined),
  }
}
