/** Sizes of an AuthZEN request: a policy's work is bounded by them. */
export const MAX_EVALUATIONS = 100
export const MAX_ENTITY_TEXT_CHARS = 2_048
export const MAX_PROPERTY_TEXT_CHARS = 8_192
export const MAX_PROPERTY_VALUES = 1_000
export const MAX_PROPERTY_DEPTH = 8

/** A device token in a request, as text. */
export const MAX_TOKEN_CHARS = 4_096

/** How much of an Accept-Language header is read. */
export const MAX_LANGUAGE_HEADER_CHARS = 256
export const MAX_LANGUAGES_READ = 8

/** A question that is kept to be replayed: values in its members, and characters of these and of its names. */
export const MAX_KEPT_VALUES = 64
export const MAX_KEPT_CHARS = 4_096
