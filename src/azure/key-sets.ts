import { isHttpsOrigin } from '../appraisal/reference-values.ts'
import { readBounded } from '../base/bounded-body.ts'
import { fromUtf8 } from '../base/encoding.ts'
import { createFetchCache, type Unavailable } from '../base/fetch-cache.ts'
import type { Result } from '../base/result.ts'
import { parseJsonObject } from '../evidence/jws/compact-jws.ts'
import { importKeySet, type KeySet } from '../evidence/jws/key-set.ts'
import {
  KEY_SET_FIRST_PAUSE_MS,
  KEY_SET_FRESH_MS,
  KEY_SET_PAUSE_MS,
  KEY_SET_USABLE_MS,
  MAX_KEY_SET_BYTES,
} from './limits.ts'

/** Why it cannot be said now whether a key is one of a provider. Says nothing about the token. */
export const KEY_SETS_REASONS = ['key_set_unavailable'] as const

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type KeySetsFailure = Unavailable<(typeof KEY_SETS_REASONS)[number]>

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
  /** The sets that are at hand, by issuer; nothing is fetched. */
  readonly known: () => ReadonlyMap<string, KeySet>
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

/** A key that is known stays known for a week while its provider is away. */
export function createKeySets(input: KeySetsInput): KeySets {
  const { fetch: send, clock, timeoutMs } = input
  const issuers = new Set(input.issuers)
  for (const issuer of issuers) {
    if (!isHttpsOrigin(issuer)) throw new TypeError(`not an https origin: ${issuer}`)
  }
  const configured = (issuer: string): string => {
    if (!issuers.has(issuer)) throw new TypeError(`not a configured issuer: ${issuer}`)
    return issuer
  }
  const cache = createFetchCache({
    clock,
    unavailable: 'key_set_unavailable',
    times: {
      ...{ freshMs: KEY_SET_FRESH_MS, usableMs: KEY_SET_USABLE_MS, timeoutMs },
      ...{ pauseMs: KEY_SET_PAUSE_MS, firstPauseMs: KEY_SET_FIRST_PAUSE_MS },
    },
    fetchValue: (issuer) => fetchKeySet({ issuer, send, timeoutMs }),
  })
  return {
    async keySetFor(issuer, kid) {
      return cache.get(configured(issuer), ({ keys }) => kid === undefined || keys.has(kid))
    },
    known() {
      const sets = [...issuers].map((issuer) => [issuer, cache.known(issuer)] as const)
      return new Map(sets.flatMap(([issuer, set]) => (set === undefined ? [] : [[issuer, set]])))
    },
    state: (issuer) => cache.state(configured(issuer)),
  }
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
