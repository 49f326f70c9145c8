import type { Failure, Result } from '../base/result.ts'
import {
  FIRST_BACKOFF_MS,
  MAX_ATTEMPTS,
  MAX_BACKOFF_MS,
  MAX_RETRY_AFTER_SECONDS,
  MAX_TOTAL_TIMEOUTS,
} from './limits.ts'

/** What one try came to. */
export type Attempt<T, F extends Failure> = {
  readonly result: Result<T, F>
  /** Whether another try may help and does no harm. */
  readonly mayRepeat: boolean
  /** What the other side asks to wait. */
  readonly retryAfterSeconds?: number | undefined
}

export type RetryInput<T, F extends Failure> = {
  /** One try, which ends within `timeoutMs`. */
  readonly attempt: (timeoutMs: number) => Promise<Attempt<T, F>>
  readonly timeoutMs: number
  readonly clock: () => Date
  /** From 0 to less than 1. */
  readonly random: () => number
  readonly wait: (ms: number) => Promise<void>
}

/**
 * Tries until it succeeds, may not be repeated, was tried `MAX_ATTEMPTS` times, or would take
 * longer than `MAX_TOTAL_TIMEOUTS` times the timeout with the next pause. The last result counts.
 */
export async function repeatSafely<T, F extends Failure>(
  input: RetryInput<T, F>,
): Promise<Result<T, F>> {
  const { timeoutMs, clock } = input
  const startedAt = clock().getTime()
  const budgetMs = timeoutMs * MAX_TOTAL_TIMEOUTS
  const leftMs = () => Math.min(budgetMs - (clock().getTime() - startedAt), budgetMs)
  for (let tries = 1; ; tries += 1) {
    const tried = await input.attempt(Math.max(1, Math.min(timeoutMs, leftMs())))
    if (tried.result.ok || !tried.mayRepeat || tries >= MAX_ATTEMPTS) return tried.result
    const pauseMs = pauseBefore(tries, tried.retryAfterSeconds, input.random)
    if (pauseMs >= leftMs()) return tried.result
    await input.wait(pauseMs)
  }
}

/**
 * Exponential with jitter over its upper half, because agents that failed together would else come
 * back together. What the other side asks for is the least.
 */
function pauseBefore(
  tries: number,
  retryAfterSeconds: number | undefined,
  random: () => number,
): number {
  const longest = Math.min(FIRST_BACKOFF_MS * 2 ** (tries - 1), MAX_BACKOFF_MS)
  const backoff = longest / 2 + (random() * longest) / 2
  return retryAfterSeconds === undefined ? backoff : retryAfterSeconds * 1000 + backoff
}

const SECONDS = /^\d{1,10}$/
/** IMF-fixdate, the only form that a server may write (RFC 9110 §5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/**
 * `Retry-After` in whole seconds from `now`, at most `MAX_RETRY_AFTER_SECONDS` (RFC 9110 §10.2.3).
 * `undefined` for a header that is absent or says nothing.
 */
export function readRetryAfter(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim() ?? ''
  let seconds: number
  if (SECONDS.test(text)) seconds = Number(text)
  else if (HTTP_DATE.test(text)) seconds = Math.ceil((Date.parse(text) - now.getTime()) / 1000)
  else return undefined
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), MAX_RETRY_AFTER_SECONDS)
}
