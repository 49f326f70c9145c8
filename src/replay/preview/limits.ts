/** Rows of a breakdown that a summary lists; the others are a sum. */
export const LISTED_KEYS = 20
/** Different labels, owners, issuers or causes that are counted one by one. */
export const COUNTED_KEYS = 10_000
/** Device ids that stand for the others. */
export const EXAMPLE_DEVICES = 5
/** Sets of claims whose outcome is remembered. */
export const REMEMBERED_CLAIMS = 4_096
