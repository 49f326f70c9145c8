/** Limits of what callers send to prove themselves. */

/** An access token in a header. Those of Entra have 1 to 4 KiB; all headers of a request have 16 KiB on Node. */
export const MAX_ACCESS_TOKEN_CHARS = 12_288
/** `client_assertion`. Real ones have half a KiB, and 3 KiB with a certificate in the header. */
export const MAX_ASSERTION_CHARS = 8_192
/** Names in tokens: `jti`, `kid`, ids of clients. */
export const MAX_TOKEN_NAME_CHARS = 256

/** The form of a request to one of our OAuth endpoints. */
export const MAX_FORM_BYTES = 32_768
export const MAX_FORM_PARAMETERS = 32

/** Keys of one client, or of one issuer. */
export const MAX_JWKS_KEYS = 32
/** `jwks_uri` of a client. */
export const MAX_JWKS_URL_CHARS = 1_024

/** `exp` of an assertion lies at most so far ahead: so long its `jti` has to be remembered. */
export const MAX_ASSERTION_SECONDS = 3_600
/** A proof is at most so old. Its `jti` is remembered as long, and the clocks' difference. */
export const MAX_DPOP_SECONDS = 300
/** How long a nonce for proofs counts; whoever uses one past half of that is given the next. */
export const DPOP_NONCE_SECONDS = 300

/** Longest life of our access tokens (CAEP interoperability profile 1.0 §2.7.2: at most an hour). */
export const MAX_ACCESS_TOKEN_SECONDS = 3_600
