/** Sizes of an AuthZEN request: a policy's work is bounded by them. */
export const MAX_EVALUATIONS = 100
export const MAX_ENTITY_TEXT_CHARS = 2_048
export const MAX_PROPERTY_TEXT_CHARS = 8_192
export const MAX_PROPERTY_VALUES = 1_000
export const MAX_PROPERTY_DEPTH = 8

/**
 * Names in the entity directory, in bytes of UTF-8: an index has to hold kind, type and id together, and
 * PostgreSQL gives a row of one 2,704 bytes.
 */
export const MAX_DIRECTORY_TYPE_BYTES = 256
export const MAX_DIRECTORY_ID_BYTES = 1_024
/** What the directory holds of one entity: members at its top, values in all of them, and bytes as JSON. */
export const MAX_DIRECTORY_PROPERTIES = 64
export const MAX_DIRECTORY_VALUES = 256
export const MAX_DIRECTORY_DEPTH = 4
export const MAX_DIRECTORY_BYTES = 8_192
/** The owner of a device, in characters: an index holds it, in any script. */
export const MAX_OWNER_CHARS = 320

/** Where an entity comes from, in characters. */
export const MAX_SOURCE_CHARS = 64

/** Results of one page of a search, unless the request wants fewer; and at most. */
export const SEARCH_PAGE = 50
export const SEARCH_PAGE_MOST = 200
/** A token of a page, as text: it holds an id, sealed. */
export const MAX_PAGE_TOKEN_CHARS = 4_096

/** A device token in a request, as text. */
export const MAX_TOKEN_CHARS = 4_096

/** How much of an Accept-Language header is read. */
export const MAX_LANGUAGE_HEADER_CHARS = 256
export const MAX_LANGUAGES_READ = 8

/** A question that is kept to be replayed: values in its members, and characters of these and of its names. */
export const MAX_KEPT_VALUES = 64
export const MAX_KEPT_CHARS = 4_096
