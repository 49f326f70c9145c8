/**
 * Posts a body to somebody else, at a public address alone and over TLS, and reads the answer to a bounded length.
 * No redirect is followed. Never throws: what went wrong is the cause of `later`.
 */
export type Post = (target: PostTarget, body: string) => Promise<PostOutcome>

export type PostTarget = {
  readonly url: string
  /** All headers but those of the connection and of the length. */
  readonly headers: Readonly<Record<string, string>>
}

export type PostOutcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly body: Uint8Array
      /** The header `Retry-After`. */
      readonly retryAfter: string | undefined
    }
  | { readonly kind: 'later'; readonly cause: string }

/** The seconds of a header `Retry-After`; a date in it is not understood. */
export function readRetryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : undefined
}
