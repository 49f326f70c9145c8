import type { Place } from './place.ts'

/**
 * How every room says that something an outsider sent is not acceptable.
 *
 * A room exports the reasons of its failures as a constant list (`QUOTE_REASONS`) and derives its
 * failure type from it, so that the wire maps can be exhaustive and a test can ask that each reason
 * is really produced somewhere. Misuse by our own code throws `TypeError` and faults of the
 * infrastructure throw whatever they throw: neither is ever a `Result`.
 */
export type Result<T, F extends Failure> = Ok<T> | Err<F>
export type Ok<T> = { readonly ok: true; readonly value: T }
export type Err<F extends Failure> = { readonly ok: false; readonly failure: F }

/**
 * `reason` is stable and unique over all rooms. `Place` says where, as far as whoever refuses knows
 * it; what else a failure has helps whoever debugs.
 */
export type Failure = { readonly reason: string } & Place & {
    /** What would have been right, in words or as a short value; never a secret. */
    readonly expected?: string
    /** What was there instead: for logs and traces, and never told to who sent it. */
    readonly found?: string
  }

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value }
}

export function err<const F extends Failure>(failure: F): Err<F> {
  return { ok: false, failure }
}
