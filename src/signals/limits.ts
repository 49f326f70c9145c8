/** An URL, an audience, a description: what a receiver writes into its stream. */
export const MAX_STREAM_TEXT_CHARS = 2048
/** The header with which a receiver wants to be called; it is kept sealed. */
export const MAX_AUTHORIZATION_CHARS = 4096
/** Event types that a receiver asks for, known to us or not. */
export const MAX_EVENTS_REQUESTED = 64
export const MAX_STATE_CHARS = 1024
/** Events in one answer to a poll, whatever it asks for. */
export const MAX_POLLED_EVENTS = 100
/** Acknowledgements and errors that one poll may carry. */
export const MAX_ACKNOWLEDGED = 1000
/** Of the text that a receiver sends with a refusal: enough to recognize it. */
export const MAX_REFUSAL_CHARS = 256

/** Pauses between the tries of one event, doubling from the first to the last. */
export const FIRST_RETRY_MS = 1000
export const LAST_RETRY_MS = 300_000
/** A receiver may ask for more, but not for ever. */
export const MAX_RETRY_AFTER_MS = 3_600_000
