import { FIRST_RETRY_MS, LAST_RETRY_MS, MAX_REFUSAL_CHARS, MAX_RETRY_AFTER_MS } from './limits.ts'

/**
 * What became of a push (RFC 8935 §2.2 to §2.4).
 *
 * - `delivered`: the receiver has it.
 * - `refused`: it will never take this token; the same one is not sent again by itself.
 * - `later`: nothing is known against the token: the receiver is away, busy, set up wrong, or does not let
 *   us in.
 */
export type PushOutcome =
  | ({ readonly kind: 'delivered' } & Unasked)
  | ({
      readonly kind: 'refused'
      readonly error: string
      readonly description: string
    } & Unasked)
  | { readonly kind: 'later'; readonly cause: string; readonly retryAfterMs?: number | undefined }

/** Nobody was asked, as there was nothing to send: that says nothing about whether the receiver can be reached. */
export type Unasked = { readonly isUnasked?: true }

/** The cause of `later` where a receiver is on a network that nobody named as private. */
export const ADDRESS_NOT_PUBLIC = 'its address is not a public one'

export type PushAnswer = {
  readonly status: number
  /** As far as it was read, if it is JSON. */
  readonly body: unknown
  readonly retryAfterSeconds?: number | undefined
}

/**
 * A success is 202; other answers of the 200s come from receivers that take it just as well. A 400 is about
 * the token whether or not it says why, or one bad token would hold up all that follow it.
 */
export function readPushAnswer({ status, body, retryAfterSeconds }: PushAnswer): PushOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const { err, description } = Object(body)
  if (status === 400 && !ABOUT_US.has(err)) {
    return { kind: 'refused', error: short(err), description: short(description) }
  }
  const cause = typeof err === 'string' ? `${status} ${short(err)}` : String(status)
  const retryAfterMs =
    retryAfterSeconds === undefined
      ? undefined
      : Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS)
  return { kind: 'later', cause, retryAfterMs }
}

/** Wrong about the stream and not about the token: the next token would be refused for the same. */
const ABOUT_US: ReadonlySet<unknown> = new Set([
  'invalid_key',
  'invalid_issuer',
  'invalid_audience',
  'authentication_failed',
  'access_denied',
])

function short(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, MAX_REFUSAL_CHARS).toWellFormed() : ''
}

/**
 * How long to wait before the next try: doubling, with jitter over its upper half, and never less than the
 * receiver asks for.
 *
 * @param attempts that were made, at least 1
 * @param random from 0 to less than 1
 */
export function pauseAfter(
  attempts: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const longest = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 30), LAST_RETRY_MS)
  return Math.max(Math.round(longest / 2 + (random * longest) / 2), retryAfterMs ?? 0)
}
