/** Limits of key sets and of attestation policies, where Azure documents none. */

/** The key set of a provider has some 20 KiB, more where certificates carry evidence of SEV-SNP. */
export const MAX_KEY_SET_BYTES = 524_288
/** Age from which a key set is fetched anew by whoever uses it next. */
export const KEY_SET_FRESH_MS = 3_600_000
/** Age to which a key set is used while its provider cannot be reached. */
export const KEY_SET_USABLE_MS = 7 * 24 * 3_600_000
/** Between two fetches of one provider, whatever tokens ask for. */
export const KEY_SET_PAUSE_MS = 60_000
/** Until a provider of which nothing is known yet is asked again after a failure. */
export const KEY_SET_FIRST_PAUSE_MS = 2_000
/** How often a request looks whether another one's fetch is over. */
export const KEY_SET_POLL_MS = 20

/** Text of one policy. It is wrapped in base64 three times before it is in an answer. */
export const MAX_POLICY_CHARS = 49_152
/** Functions inside of functions in one rule. */
export const MAX_POLICY_NESTING = 16
/** Lines of a policy that are compared; a longer one is shown as replaced. */
export const MAX_DIFF_LINES = 2_000
/** Equal lines around a difference. */
export const DIFF_CONTEXT_LINES = 3
