/** The end of the year 9999, the last that a Date in ISO 8601 has four digits for. */
const MAX_NUMERIC_DATE = 253_402_300_800

/**
 * Whether a JSON value is a NumericDate of RFC 7519 §2: seconds since 1970 as a number, whole or not.
 * All that read `iat`, `nbf` or `exp` read them by this, so that a fraction counts everywhere and
 * what JSON may write beside it counts nowhere: text, what is negative, and `1e400`, which is read as
 * infinity and would never expire.
 */
export function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < MAX_NUMERIC_DATE
}
