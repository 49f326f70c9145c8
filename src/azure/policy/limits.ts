/** Limits of attestation policies, where Azure documents none. */

/** Text of one policy. It is wrapped in base64 three times before it is in an answer. */
export const MAX_POLICY_CHARS = 49_152
/** Functions inside of functions in one rule. */
export const MAX_POLICY_NESTING = 16
/** Lines of a policy that are compared; a longer one is shown as replaced. */
export const MAX_DIFF_LINES = 2_000
/** Equal lines around a difference. */
export const DIFF_CONTEXT_LINES = 3
