import { isHttpsOrigin } from '../appraisal/reference-values.ts'
import { fromUtf8 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { parseJsonObject } from '../evidence/jws/compact-jws.ts'
import { importKeySet, type KeySet } from '../evidence/jws/key-set.ts'
import { readBounded } from './bounded-body.ts'
import {
  KEY_SET_FIRST_PAUSE_MS,
  KEY_SET_FRESH_MS,
  KEY_SET_PAUSE_MS,
  KEY_SET_POLL_MS,
  KEY_SET_USABLE_MS,
  MAX_KEY_SET_BYTES,
} from './limits.ts'

/** Why it cannot be said now whether a key is one of a provider. Says nothing about the token. */
export const KEY_SETS_REASONS = ['key_set_unavailable'] as const

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type KeySetsFailure = {
  readonly reason: (typeof KEY_SETS_REASONS)[number]
  readonly retryAfterSeconds: number
}

/** The public keys of the configured providers, kept between requests as plain data. */
export type KeySets = {
  /**
   * The key set of a configured issuer in which `kid` should be. A set that is an hour old, or in
   * which `kid` is not, is fetched anew, once a minute at most. Whether `kid` is in the set that is
   * returned remains to be seen. `undefined` for `kid` asks for any set that is usable.
   *
   * Throws TypeError for other issuers: who takes the issuer from a token looks it up first.
   */
  readonly keySetFor: (
    issuer: string,
    kid: string | undefined,
  ) => Promise<Result<KeySet, KeySetsFailure>>
  /** `available`: the provider answered when it was last asked, or was never asked. */
  readonly state: (issuer: string) => {
    readonly fetchedAt: Date | undefined
    readonly available: boolean
  }
}

export type KeySetsInput = {
  /** `https` origins, as in the tokens' `iss`: nothing else is ever asked. */
  readonly issuers: readonly string[]
  readonly fetch: typeof fetch
  readonly clock: () => Date
  readonly timeoutMs: number
}

/** Everything that is known of one provider; no promise is kept, as other requests look at it. */
type Entry = {
  set: KeySet | undefined
  /** Milliseconds of the epoch, of the last success and of the last try. */
  fetchedAt: number
  triedAt: number
  isUnderWay: boolean
  hasFailed: boolean
}

/**
 * A failed fetch has two sides. A key that is known stays known, for a week. A key that is not known
 * may be one that the provider has begun to use since, so that `token_key_unknown` would make a
 * verdict of an outage: then the answer is `key_set_unavailable`, also while no further fetch is
 * allowed. After a fetch that succeeded within the last minute an unknown key is unknown.
 */
export function createKeySets(input: KeySetsInput): KeySets {
  const { fetch: send, clock, timeoutMs } = input
  const entries = new Map<string, Entry>()
  for (const issuer of input.issuers) {
    if (!isHttpsOrigin(issuer)) throw new TypeError(`not an https origin: ${issuer}`)
    entries.set(issuer, newEntry())
  }
  const entryOf = (issuer: string): Entry => {
    const entry = entries.get(issuer)
    if (entry === undefined) throw new TypeError(`not a configured issuer: ${issuer}`)
    return entry
  }

  return {
    async keySetFor(issuer, kid) {
      const entry = entryOf(issuer)
      const now = clock().getTime()
      const isKnown = hasKey(entry, kid)
      if (isKnown && age(now, entry.fetchedAt) < KEY_SET_FRESH_MS) return known(entry, kid, now)
      if (entry.isUnderWay && age(now, entry.triedAt) < timeoutMs) {
        // Whoever has a key that will do need not wait for a newer set.
        if (isKnown && isUsable(entry, now)) return known(entry, kid, now)
        await watch(entry, timeoutMs)
      } else if (age(now, entry.triedAt) >= pauseOf(entry)) {
        await refresh(entry, { issuer, send, timeoutMs, clock })
      }
      return known(entry, kid, clock().getTime())
    },
    state(issuer) {
      const { fetchedAt, hasFailed } = entryOf(issuer)
      const hasSet = fetchedAt > Number.NEGATIVE_INFINITY
      return { fetchedAt: hasSet ? new Date(fetchedAt) : undefined, available: !hasFailed }
    },
  }
}

function newEntry(): Entry {
  const never = Number.NEGATIVE_INFINITY
  return { set: undefined, fetchedAt: never, triedAt: never, isUnderWay: false, hasFailed: false }
}

/** A clock that was set back must not make anything young for ever. */
function age(now: number, then: number): number {
  return Math.abs(now - then)
}

function hasKey({ set }: Entry, kid: string | undefined): boolean {
  return set !== undefined && (kid === undefined || set.keys.has(kid))
}

function isUsable({ set, fetchedAt }: Entry, now: number): boolean {
  return set !== undefined && age(now, fetchedAt) <= KEY_SET_USABLE_MS
}

function pauseOf({ set }: Entry): number {
  return set === undefined ? KEY_SET_FIRST_PAUSE_MS : KEY_SET_PAUSE_MS
}

/** Answers from what is known now. */
function known(entry: Entry, kid: string | undefined, now: number): Result<KeySet, KeySetsFailure> {
  const { set, hasFailed, isUnderWay } = entry
  const isDecided = hasKey(entry, kid) || (!hasFailed && !isUnderWay)
  if (set !== undefined && isUsable(entry, now) && isDecided) return ok(set)
  const wait = pauseOf(entry) - age(now, entry.triedAt)
  const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1000))
  return err({ reason: 'key_set_unavailable', retryAfterSeconds })
}

/**
 * Waits for the fetch of another request by looking at its outcome: to await its promise is
 * forbidden in a Worker. A request that was cancelled never finishes its fetch, hence the limit.
 */
async function watch(entry: Entry, timeoutMs: number): Promise<void> {
  const looks = Math.ceil(timeoutMs / KEY_SET_POLL_MS)
  for (let look = 0; look < looks && entry.isUnderWay; look++) {
    await new Promise((resolve) => setTimeout(resolve, KEY_SET_POLL_MS))
  }
}

async function refresh(
  entry: Entry,
  input: {
    readonly issuer: string
    readonly send: typeof fetch
    readonly timeoutMs: number
    readonly clock: () => Date
  },
): Promise<void> {
  const startedAt = input.clock().getTime()
  entry.triedAt = startedAt
  entry.isUnderWay = true
  const set = await fetchKeySet(input)
  // Given up for dead and succeeded by another, which knows better.
  if (entry.triedAt !== startedAt) return
  entry.isUnderWay = false
  entry.hasFailed = set === undefined
  if (set === undefined) return
  entry.set = set
  entry.fetchedAt = startedAt
}

/** `undefined` for whatever is not a key set of this provider, straight from its own address. */
async function fetchKeySet(input: {
  readonly issuer: string
  readonly send: typeof fetch
  readonly timeoutMs: number
}): Promise<KeySet | undefined> {
  const { issuer, send, timeoutMs } = input
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), timeoutMs)
  try {
    // Not 'error', which workerd has not: a redirect is an answer other than 200.
    const redirect = 'manual'
    const headers = { accept: 'application/json', 'user-agent': 'countersign' }
    const response = await send(`${issuer}/certs`, { redirect, headers, signal: controller.signal })
    const body =
      response.status === 200 ? await readBounded(response, MAX_KEY_SET_BYTES) : undefined
    const text = body && fromUtf8(body)
    const imported = await importKeySet(text === undefined ? undefined : parseJsonObject(text))
    return imported.ok ? imported.value : undefined
  } catch {
    return undefined
  } finally {
    controller.abort()
    clearTimeout(timer)
  }
}
