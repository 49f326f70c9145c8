/** Limits of fetching key sets of clients and of issuers. */

/** Age from which a set is fetched anew by whoever uses it next. */
export const FRESH_MS = 600_000
/** Age to which a set is used while its place cannot be reached. */
export const USABLE_MS = 24 * 3_600_000
/** Between two fetches of one place, whatever tokens ask for. */
export const PAUSE_MS = 30_000
/** Until a place of which nothing is known yet is asked again after a failure. */
export const FIRST_PAUSE_MS = 2_000
/** For all of a fetch, from the name of the host to the end of the answer. */
export const FETCH_TIMEOUT_MS = 5_000
/** A key set as it is sent. */
export const MAX_SET_BYTES = 65_536
