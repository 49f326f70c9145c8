import { readBounded } from '../base/bounded-body.ts'
import type { Post } from '../base/post.ts'
import { mayConnect } from './checked-lookup.ts'
import { MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS } from './push.ts'

const REFUSED = 'its address is not a public one'

/**
 * Posts by the `fetch` of a platform that connects to public addresses alone, as Workers do with the flag
 * `global_fetch_strictly_public`. No redirect is followed.
 */
export function createFetchPost(send: typeof fetch): Post {
  return async (target, body) => {
    const url = new URL(target.url)
    if (url.protocol !== 'https:') return { kind: 'later', cause: 'no TLS' }
    if (!mayConnect(url.hostname, new Set())) return { kind: 'later', cause: REFUSED }
    try {
      const response = await send(url, {
        ...{ method: 'POST', headers: target.headers, body },
        redirect: 'manual',
        signal: AbortSignal.timeout(PUSH_TIMEOUT_MS),
      })
      const answer = await readBounded(response, MAX_ANSWER_BYTES)
      if (answer === undefined) return { kind: 'later', cause: 'too long an answer' }
      const retryAfter = response.headers.get('retry-after') ?? undefined
      return { kind: 'answered', status: response.status, body: answer, retryAfter }
    } catch {
      return { kind: 'later', cause: 'no answer' }
    }
  }
}
