import type { Certificate } from '../evidence/x509/certificate.ts'
import { type FetchedCertificates, fetchCertificates } from './fetch-certificates.ts'
import { type AiaPlace, allowAiaUrl } from './hosts.ts'
import {
  FETCH_BURST,
  FETCH_TIMEOUT_MS,
  FETCHES_PER_SECOND,
  MAX_REMEMBERED_URLS,
  POLL_MS,
  REFUSED_PAUSE_MS,
  UNANSWERED_PAUSE_MS,
  UNPROVEN_MS,
} from './limits.ts'

/**
 * What can be had under a URL now. `not_allowed` says something about the URL; `unavailable` only
 * about this moment.
 */
export type Sourced =
  | { readonly kind: 'certificates'; readonly certificates: readonly Certificate[] }
  | { readonly kind: 'not_allowed' }
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

/** Certificates by URL, fetched or remembered for a while: none of them is trusted. */
export type CertificateSource = {
  /**
   * One fetch of a URL at a time, whoever asks. `deadline` ends this caller's part in it; `begin` is
   * asked whether a fetch may be begun for this caller, and counts it.
   */
  readonly certificatesAt: (
    url: string,
    caller: { readonly deadline: AbortSignal; readonly begin: () => boolean },
  ) => Promise<Sourced>
}

/** Plain data, as other requests look at it: in a Worker they may not wait for its promise. */
type Entry = {
  /** Absent while the fetch is under way. */
  fetched: FetchedCertificates | undefined
  /** Milliseconds of the epoch: since when, and from when on it is forgotten. */
  readonly startedAt: number
  until: number
}

const PAUSE_MS: Readonly<Record<FetchedCertificates['kind'], number>> = {
  certificates: UNPROVEN_MS,
  refused: REFUSED_PAUSE_MS,
  unanswered: UNANSWERED_PAUSE_MS,
}

export function createCertificateSource(input: {
  readonly places: readonly AiaPlace[]
  readonly fetch: typeof fetch
  readonly clock: () => Date
}): CertificateSource {
  const { places, fetch, clock } = input
  const entries = new Map<string, Entry>()
  const budget = createBudget(clock)

  const begin = async (url: URL, deadline: AbortSignal): Promise<Entry | undefined> => {
    const now = clock().getTime()
    const entry: Entry = { fetched: undefined, startedAt: now, until: now + FETCH_TIMEOUT_MS }
    if (!makeRoom(entries, now)) return undefined
    entries.set(url.href, entry)
    const signal = AbortSignal.any([deadline, AbortSignal.timeout(FETCH_TIMEOUT_MS)])
    const fetched = await fetchCertificates({ url, places, fetch, signal })
    // Whoever had no time left to wait for an answer has learnt nothing about the place.
    if (deadline.aborted && fetched.kind === 'unanswered') {
      if (entries.get(url.href) === entry) entries.delete(url.href)
      return undefined
    }
    entry.fetched = fetched
    entry.until = clock().getTime() + PAUSE_MS[fetched.kind]
    return entry
  }

  return {
    async certificatesAt(text, caller) {
      const url = allowAiaUrl(text, places)
      if (url === undefined) return { kind: 'not_allowed' }
      const known = () => recall(entries, url.href, clock().getTime())
      // From the last look on nothing waits until the fetch is noted, so that it is the only one.
      for (let entry = known(); entry !== undefined; entry = known()) {
        const isSettled = entry.fetched !== undefined || caller.deadline.aborted
        if (isSettled) return toSourced(entry, clock().getTime())
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
      if (caller.deadline.aborted || !caller.begin()) return busy(1000)
      const waitMs = budget.spend()
      if (waitMs > 0) return busy(waitMs)
      const entry = await begin(url, caller.deadline)
      return entry === undefined ? busy(1000) : toSourced(entry, clock().getTime())
    },
  }
}

function busy(retryAfterMs: number): Sourced {
  return { kind: 'unavailable', retryAfterMs }
}

function toSourced({ fetched, until }: Entry, now: number): Sourced {
  if (fetched?.kind === 'certificates') return fetched
  return { kind: 'unavailable', retryAfterMs: Math.max(1, until - now) }
}

function recall(entries: ReadonlyMap<string, Entry>, url: string, now: number): Entry | undefined {
  const entry = entries.get(url)
  return entry === undefined || isOver(entry, now) ? undefined : entry
}

/** A clock that was set back must not keep anything for ever. */
function isOver({ startedAt, until }: Entry, now: number): boolean {
  return now >= until || now < startedAt
}

/** Forgets what is over, then what is oldest; not what is under way. */
function makeRoom(entries: Map<string, Entry>, now: number): boolean {
  for (const [url, entry] of entries) if (isOver(entry, now)) entries.delete(url)
  for (const [url, { fetched }] of entries) {
    if (entries.size < MAX_REMEMBERED_URLS) break
    if (fetched !== undefined) entries.delete(url)
  }
  return entries.size < MAX_REMEMBERED_URLS
}

/** So many fetches at once, and then so many a second, for all callers of this process together. */
function createBudget(clock: () => Date): { readonly spend: () => number } {
  let left = FETCH_BURST
  let at = clock().getTime()
  return {
    /** 0 if one was granted, else for how many milliseconds there is none. */
    spend() {
      const now = clock().getTime()
      left = Math.min(FETCH_BURST, left + (Math.max(0, now - at) / 1000) * FETCHES_PER_SECOND)
      at = now
      if (left < 1) return Math.ceil(((1 - left) / FETCHES_PER_SECOND) * 1000)
      left -= 1
      return 0
    },
  }
}
