/** Limits of attestation policies, where Azure documents none. */

/** Text of one policy. It is wrapped in base64 three times before it is in an answer. */
export const MAX_POLICY_CHARS = 49_152
/** Functions inside of functions in one rule. */
export const MAX_POLICY_NESTING = 16
