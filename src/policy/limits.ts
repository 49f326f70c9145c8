/** Sizes of a policy document. */
export const MAX_CLAUSES = 128
export const MAX_POLICY_DOCUMENT_CHARS = 262_144
export const MAX_POLICY_NAME_CHARS = 120
export const MAX_DESCRIPTION_CHARS = 2_000
export const MAX_CLAUSE_ID_CHARS = 64
export const MAX_TITLE_CHARS = 160
export const MAX_REPAIR_CHARS = 1_000
export const MAX_LANGUAGES = 40
/** Time for repair at most: 30 days. */
export const MAX_GRACE_SECONDS = 2_592_000

/** Sizes of one CEL expression. */
export const MAX_EXPRESSION_CHARS = 2_000
export const MAX_EXPRESSION_NODES = 256
export const MAX_EXPRESSION_DEPTH = 24
export const MAX_LIST_LITERAL_ITEMS = 128
export const MAX_CALL_ARGUMENTS = 4
export const MAX_PATTERN_CHARS = 256
/** What one evaluation may cost: turns of loops times their size, and what is copied or compared. */
export const MAX_EVALUATION_STEPS = 1_000_000
/** How deep lists and maps are compared with each other. */
export const MAX_VALUE_DEPTH = 200

/** Sizes of a document as text that is looked through: it may be indented and have escapes. */
export const MAX_LINTED_CHARS = 4_194_304
export const MAX_JSON_DEPTH = 32
/** Reference values that end within so many days, and that nothing follows, are told of. */
export const ENDS_SOON_DAYS = 30
/** How many findings are told; errors go before warnings. */
export const MAX_FINDINGS = 200
/** Work that it may cost to find out what one clause can come to: nodes that are looked at. */
export const MAX_OUTCOME_STEPS = 100_000
