/** Limits of what identity providers send. */

/** A JWT of theirs: one of Cloudflare names all groups of a user. */
export const MAX_VENDOR_TOKEN_CHARS = 32_768
/** For how long one counts at most, whatever it says: so long its nonce is remembered. */
export const MAX_EVALUATION_SECONDS = 600
/** Their bodies: Okta's have some 4 KiB, and more with many claims. */
export const MAX_VENDOR_BODY_BYTES = 131_072
/** Names and addresses in them. */
export const MAX_VENDOR_TEXT_CHARS = 1_024

/** Devices in one question of Cloudflare. */
export const MAX_POSTURE_DEVICES = 1_000
export const MAX_POSTURE_BODY_BYTES = 1_048_576

/** Reasons that are told in claims of a token, and characters of each: Entra takes claims of 3 KiB. */
export const MAX_TOLD_REASONS = 8
export const MAX_TOLD_REASON_CHARS = 128
