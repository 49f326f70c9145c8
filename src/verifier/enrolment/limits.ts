/** Limits of enrolments by credential activation. */

/** The secret that only the right TPM finds out. As long as a digest of any EK's name algorithm. */
export const SECRET_BYTES = 32
export const TICKET_ID_BYTES = 16
/** A ticket holds the AK's SubjectPublicKeyInfo, of which RSA-4096 has 550 bytes. */
export const MAX_TICKET_CHARS = 4_096
/** How long an agent has for its TPM, which may take seconds for an activation. */
export const ENROLMENT_LIFETIME_MS = 300_000
/** How long a certificate counts; an agent enrols again before. */
export const ENROLMENT_CERTIFICATE_DAYS = 180
