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

/** `reason` is stable and unique over all rooms; the other members help whoever debugs. */
export type Failure = { readonly reason: string }

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value }
}

export function err<const F extends Failure>(failure: F): Err<F> {
  return { ok: false, failure }
}
