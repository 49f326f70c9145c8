/** Limits of what is fetched because a certificate names it. */

/** Longer than any that an authority writes into `caIssuers`; Microsoft's have some 150. */
export const MAX_AIA_URL_CHARS = 1_024
/** A certificate has 1 to 3 KiB, a certs-only message some of them. */
export const MAX_ISSUER_BYTES = 32_768
/** Certificates in one answer that are looked at. */
export const MAX_ISSUER_CERTIFICATES = 8
/** From http to https, and once more. */
export const MAX_REDIRECTS = 2
/** For one fetch, redirects and body included. */
export const FETCH_TIMEOUT_MS = 5_000

/** For all that one request waits for issuers, whoever fetches them. */
export const MAX_WAIT_MS = 5_000
/** Fetches that one request may begin: an issuer, those above it, and one that answers nothing. */
export const MAX_FETCHES_PER_REQUEST = 4
/** URLs of one certificate that are tried. */
export const MAX_URLS_PER_CERTIFICATE = 2
/** Requests of one process that wait for issuers at a time; others are told to come back. */
export const MAX_WAITING = 8
/**
 * Fetches of one process, whoever causes them: anybody can hand in a certificate that names a URL.
 * Each authority of a fleet is fetched once, so that a process rarely needs more than a few.
 */
export const FETCH_BURST = 30
export const FETCHES_PER_SECOND = 0.5

/** Answers that are kept by URL, failed ones included. */
export const MAX_REMEMBERED_URLS = 64
/** How long certificates are kept that nobody has shown to be an issuer of anything. */
export const UNPROVEN_MS = 120_000
/** How long a URL is left alone that answered something else than certificates, or nothing. */
export const REFUSED_PAUSE_MS = 60_000
export const UNANSWERED_PAUSE_MS = 10_000
/** How often a request looks whether another one's fetch is over. */
export const POLL_MS = 20

/** Issuers that a process keeps of those in the store, and for how long before it looks again. */
export const MAX_KEPT_ISSUERS = 512
export const KEPT_ISSUERS_MS = 600_000
/** Issuers in the store; Microsoft has one for each region and model of TPM. */
export const MAX_STORED_ISSUERS = 4_096
