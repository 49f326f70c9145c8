import { MAX_TOKEN_CHARS } from '../evidence/limits.ts'

/** Limits of the relay. What Azure documents none for is set well above what was seen of it. */

/** An answer of a provider or of Entra after decompression: the longest token, twice wrapped. */
export const MAX_ANSWER_BYTES = 131_072
/** `payload.report`: as long as a token may be that we read. */
export const MAX_REPORT_CHARS = MAX_TOKEN_CHARS
/** `payload.challenge`; Azure's has 22. */
export const MAX_CHALLENGE_CHARS = 86
/** `payload.service_context`; Azure's has some 400. The agent sends it back inside of its request. */
export const MAX_SERVICE_CONTEXT_CHARS = 8_192
export const MAX_PROVIDER_REQUEST_ID_CHARS = 128

/** Tries of one message, the first included. */
export const MAX_ATTEMPTS = 3
/** All tries of a message with the pauses between them take at most so many times the timeout. */
export const MAX_TOTAL_TIMEOUTS = 2
export const FIRST_BACKOFF_MS = 200
export const MAX_BACKOFF_MS = 5_000
/** The longest `Retry-After` that is taken at its word. */
export const MAX_RETRY_AFTER_SECONDS = 300

/** Consecutive failures of one provider after which it is left alone. */
export const FAILURES_TO_OPEN = 5
/** Until a first trial; doubled by each trial that fails. */
export const FIRST_COOL_DOWN_MS = 5_000
export const MAX_COOL_DOWN_MS = 60_000

/** For one request to the metadata service of the machine, whoever waits for it. */
export const MACHINE_TIMEOUT_MS = 10_000
/** A token of Entra is asked for anew so long before its end, or after half its life if that is later. */
export const EARLY_REFRESH_MS = 300_000
/** A token with less life than this is not used any more. */
export const MIN_TOKEN_LIFE_MS = 30_000
/** Between two early refreshes; a provider's 401 can spoil a token once in this time. */
export const REFRESH_PAUSE_MS = 30_000
/** Scopes whose tokens are kept: one per cloud is in use. */
export const MAX_CACHED_TOKENS = 8
/** `exp` of the assertion that a certificate signs. */
export const ASSERTION_LIFETIME_SECONDS = 300

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
