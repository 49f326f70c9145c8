import { readBounded } from '../base/bounded-body.ts'
import { mayConnect } from './checked-lookup.ts'
import { headersOf, MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS, type Push, readAnswer } from './push.ts'

const REFUSED = 'its address is not a public one'

/**
 * Pushes by the `fetch` of a platform that connects to public addresses alone, as Workers do with the flag
 * `global_fetch_strictly_public`. No redirect is followed.
 */
export function createFetchPush(send: typeof fetch): Push {
  return async (target, token) => {
    const url = new URL(target.url)
    if (url.protocol !== 'https:') return { kind: 'later', cause: 'no TLS' }
    if (!mayConnect(url.hostname, new Set())) return { kind: 'later', cause: REFUSED }
    try {
      const response = await send(url, {
        method: 'POST',
        headers: headersOf(target),
        body: token,
        redirect: 'manual',
        signal: AbortSignal.timeout(PUSH_TIMEOUT_MS),
      })
      const body = await readBounded(response, MAX_ANSWER_BYTES)
      if (body === undefined) return { kind: 'later', cause: 'too long an answer' }
      const retryAfter = response.headers.get('retry-after') ?? undefined
      return readAnswer({ status: response.status, body, retryAfter })
    } catch {
      return { kind: 'later', cause: 'no answer' }
    }
  }
}
