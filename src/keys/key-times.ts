/** Keys and metadata that we publish may be kept so long by whoever reads them. `max-age`, RFC 9111 §5.2.2.1 */
export const KEY_SET_LIFETIME_SECONDS = 300

/** A process reads the keys again when what it has is older than this. */
export const KEY_REREAD_MS = 15_000

/** Where that is late, as somebody else is just reading, what a process has is never older than this. */
export const KEY_MAX_AGE_MS = 2 * KEY_REREAD_MS

/** The times in the row of a signing key. All that is known about its state follows from them. */
export type KeyTimes = {
  /** From then on it is published, and what it signs is accepted. */
  readonly createdAt: Date
  readonly signsFrom: Date
  /** When its successor begins; `null` while it has none. */
  readonly signsUntil: Date | null
  /** When all that it signed has ended; `null` while it has no successor. */
  readonly acceptedUntil: Date | null
  /** Set where an administrator ended it at once. No clock is asked then. */
  readonly retiredAt: Date | null
}

/**
 * - `published`: others read it already; it does not sign yet
 * - `signing`: signs what is issued now
 * - `accepted`: its successor signs; what it signed itself has not ended yet
 * - `ended`: nothing that it signed is accepted any more
 */
export const KEY_STATES = ['published', 'signing', 'accepted', 'ended'] as const

export type KeyState = (typeof KEY_STATES)[number]

/** The state of a key by its row alone. Time moves it to the right, and nothing to the left. */
export function keyState(key: KeyTimes, now: Date): KeyState {
  if (key.retiredAt !== null) return 'ended'
  if (key.acceptedUntil !== null && now >= key.acceptedUntil) return 'ended'
  if (now < key.signsFrom) return 'published'
  return key.signsUntil !== null && now >= key.signsUntil ? 'accepted' : 'signing'
}

/**
 * The key that signs at `now` among those of one purpose, oldest first. Something has to sign: where a
 * clock is behind, it is the one that begins next; where this process could not open that one, it is
 * the last one before it that is still accepted.
 */
export function signerAt<K extends KeyTimes>(keys: readonly K[], now: Date): K | undefined {
  const living = keys.filter((key) => keyState(key, now) !== 'ended')
  return (
    living.findLast((key) => keyState(key, now) === 'signing') ??
    living.find((key) => keyState(key, now) === 'published') ??
    living.at(-1)
  )
}
