/**
 * What a code means to whoever meets it, in whole sentences. An answer and the catalogue of all codes
 * (`docs/errors.md`) are made from the same declaration.
 */
export type Explanation = {
  /** What is wrong. */
  readonly cause: string
  /** What to change, or to do next. */
  readonly change: string
}

/** Both as one text. */
export function explainInWords({ cause, change }: Explanation): string {
  return `${cause} ${change}`
}
