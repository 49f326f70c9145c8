import { MAX_ATTESTATION_VALIDITY_SECONDS, MAX_CLOCK_SKEW_SECONDS } from '../../config/config.ts'
import { KEY_MAX_AGE_MS, KEY_SET_LIFETIME_SECONDS } from '../../keys/key-times.ts'
import { MAX_ACCESS_TOKEN_SECONDS } from '../../oauth/limits.ts'
import { AUDIT_DAYS } from '../../store/schema/partitioned.ts'
import type { SigningKeyUse } from '../../store/schema/system-schema.ts'
import { ANSWER_SECONDS } from '../../vendors/cloudflare/evaluation.ts'
import { ENROLMENT_CERTIFICATE_DAYS } from '../../verifier/enrolment/limits.ts'

const DAY_MS = 86_400_000

/** `exp` of the built-in verifier's attestation tokens, after `iat`. */
export const BUILT_IN_TOKEN_LIFETIME_MS = 8 * 3600 * 1000

/** As long as the audit is kept, whoever has a receipt can verify it by the keys that we publish. */
export const RECEIPT_DAYS = AUDIT_DAYS

/**
 * For how long what a key signs counts, at the most, and so for how long the key is accepted after it
 * has signed for the last time. The largest that a setting allows, not what it says now: a device
 * token outlives the setting that it was made under.
 */
export const COUNTS_MS: Readonly<Record<SigningKeyUse, number>> = {
  attestation: BUILT_IN_TOKEN_LIFETIME_MS,
  'device-token': MAX_ATTESTATION_VALIDITY_SECONDS * 1000,
  receipt: RECEIPT_DAYS * DAY_MS,
  enrolment: ENROLMENT_CERTIFICATE_DAYS * DAY_MS,
  // Signed anew for each try; a receiver may look at it later.
  'security-event': DAY_MS,
  'access-token': MAX_ACCESS_TOKEN_SECONDS * 1000,
  'sign-in': DAY_MS,
  'external-evaluation': ANSWER_SECONDS * 1000,
  // Whoever kept a checkpoint verifies it as long as the rows that it speaks of are kept.
  'audit-log': AUDIT_DAYS * DAY_MS,
}

/** The clock that wrote a time and the one that reads it may both be wrong. */
export const CLOCKS_MS = 2 * MAX_CLOCK_SKEW_SECONDS * 1000

/**
 * For how long a key is published before it signs: two lifetimes of a key set, as a cache between us
 * and the reader may hand out what it has until the end of the first; the time until each process
 * publishes it; and what clocks may differ by.
 */
export const ANNOUNCED_MS = 2 * KEY_SET_LIFETIME_SECONDS * 1000 + KEY_MAX_AGE_MS + CLOCKS_MS

/** The same by use: Entra reads the keys of an external authentication method once a day. */
export function announcedMs(use: SigningKeyUse): number {
  return use === 'sign-in' ? 2 * DAY_MS + KEY_MAX_AGE_MS + CLOCKS_MS : ANNOUNCED_MS
}

/**
 * Keys of one purpose that have not ended. What we publish in one set must stay below what readers
 * take (`MAX_KEY_SET_KEYS`, `MAX_RECEIPT_KEYS`).
 */
export const MOST_LIVING_KEYS = 28
