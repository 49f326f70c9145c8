import { readBounded } from '../base/bounded-body.ts'
import type { FetchJson } from './key-sets.ts'
import { FETCH_TIMEOUT_MS, MAX_SET_BYTES } from './limits.ts'
import { HEADERS, parseSet } from './read-set.ts'

/**
 * Fetches the key set of the issuer that people sign in at. The configuration names that one, and it says itself
 * where its keys are: so it may be at any address, a private one too. By TLS, unless the issuer itself goes
 * without. No redirect is followed.
 */
export function createIssuerFetchJson(send: typeof fetch, issuer: URL): FetchJson {
  return async (text) => {
    const { protocol } = new URL(text)
    if (protocol !== 'https:' && protocol !== issuer.protocol) return undefined
    try {
      const response = await send(text, {
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
