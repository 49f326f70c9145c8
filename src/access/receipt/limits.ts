/**
 * A receipt of the largest policy, each of whose clauses is undecidable for a cause that takes six
 * characters to write each of its own, stays below.
 */
export const MAX_RECEIPT_CHARS = 163_840
/** How much of the cause of an undecidable clause a receipt keeps. */
export const MAX_RECEIPT_CAUSE_CHARS = 100
/** Keys in a set that receipts are verified with. */
export const MAX_RECEIPT_KEYS = 64
/**
 * A device token is checked before the trust record is read, so that it may have expired by the
 * time of the decision: at most so long before.
 */
export const MAX_TOKEN_LEAD_MS = 30_000
