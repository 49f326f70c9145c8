import { readBounded } from '../azure/bounded-body.ts'
import { readPushAnswer } from '../signals/push-answer.ts'
import { headersOf, MAX_ANSWER_BYTES, PUSH_TIMEOUT_MS, type Push, parseAnswer } from './push.ts'

/**
 * Pushes by the `fetch` of a platform that connects to public addresses alone, as Workers do with the flag
 * `global_fetch_strictly_public`. No redirect is followed.
 */
export function createFetchPush(send: typeof fetch): Push {
  return async (target, token) => {
    if (!target.url.startsWith('https://')) return { kind: 'later', cause: 'no TLS' }
    try {
      const response = await send(target.url, {
        method: 'POST',
        headers: headersOf(target),
        body: token,
        redirect: 'manual',
        signal: AbortSignal.timeout(PUSH_TIMEOUT_MS),
      })
      const bytes = await readBounded(response, MAX_ANSWER_BYTES)
      if (bytes === undefined) return { kind: 'later', cause: 'too long an answer' }
      const after = Number(response.headers.get('retry-after') ?? Number.NaN)
      return readPushAnswer({
        status: response.status,
        body: parseAnswer(Buffer.from(bytes).toString('utf8')),
        retryAfterSeconds: Number.isSafeInteger(after) && after >= 0 ? after : undefined,
      })
    } catch {
      return { kind: 'later', cause: 'no answer' }
    }
  }
}
