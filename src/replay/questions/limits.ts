/** Topics and clauses that a summary lists. */
export const LISTED_TOPICS = 50
export const LISTED_CLAUSES = 50
/** Members or comparisons that are named of one clause. */
export const LISTED_PARTS = 8
