/** A token as text. It travels in a header, and Node takes 16 KiB of headers. */
export const MAX_BREAK_GLASS_CHARS = 8_192
export const MAX_BREAK_GLASS_SIGNATURES = 16
export const MAX_BREAK_GLASS_KEYS = 16

/** From `iat` to `exp`: what is used unless told otherwise, and what nobody can exceed. */
export const PRESET_BREAK_GLASS_SECONDS = 3_600
export const MAX_BREAK_GLASS_SECONDS = 86_400

export const MAX_KEY_SET_CHARS = 16_384
export const MAX_KID_CHARS = 128
export const MAX_ISSUER_CHARS = 128
export const MAX_AUDIENCE_CHARS = 512
export const MAX_REASON_CHARS = 300
