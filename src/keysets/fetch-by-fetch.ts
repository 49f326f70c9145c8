import { readBounded } from '../base/bounded-body.ts'
import { mayConnect } from '../receivers/checked-lookup.ts'
import type { FetchJson } from './key-sets.ts'
import { FETCH_TIMEOUT_MS, MAX_SET_BYTES } from './limits.ts'
import { HEADERS, parseSet } from './read-set.ts'

/**
 * Fetches key sets by the `fetch` of a platform that connects to public addresses alone, as Workers do with
 * the flag `global_fetch_strictly_public`. No redirect is followed.
 */
export function createFetchJson(send: typeof fetch): FetchJson {
  return async (text) => {
    const url = new URL(text)
    if (url.protocol !== 'https:' || !mayConnect(url.hostname, new Set())) return undefined
    try {
      const response = await send(url, {
        headers: HEADERS,
        redirect: 'manual',
        signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
      })
      if (response.status === 200) return parseSet(await readBounded(response, MAX_SET_BYTES))
      await response.body?.cancel()
      return undefined
    } catch {
      return undefined
    }
  }
}
