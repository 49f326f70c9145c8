/** Ceilings of everything that is read from a boot log; real logs stay far below each of them. */

/** The largest log of the vectors is 72,817 bytes; servers with long GRUB menus reach 200 KiB. */
export const MAX_LOG_BYTES = 1024 * 1024
/** The most eventful log of the vectors has 112. */
export const MAX_LOG_EVENTS = 8192
/** PCR 13 of Windows holds one event of all boot drivers: 36,363 bytes in the vectors. */
export const MAX_EVENT_BYTES = 256 * 1024
/** Digest algorithms that a `Spec ID Event03` header may declare; TPMs have up to five banks. */
export const MAX_LOG_ALGORITHMS = 8
/** Of an algorithm that is not known here and whose digests are skipped. */
export const MAX_UNKNOWN_DIGEST_BYTES = 64

export const MAX_UEFI_VARIABLE_NAME_CHARS = 1024

/** TRUSTBOUNDARY → LOADEDMODULE_AGGREGATION → value is the deepest nesting Windows writes. */
export const MAX_SIPA_DEPTH = 6
/** Elements of one tagged event at all depths together; about 1,000 in real logs. */
export const MAX_SIPA_ELEMENTS = 16_384

export const MAX_SI_POLICY_NAME_BYTES = 1024
export const MIN_IDENTITY_KEY_BITS = 2048
export const MAX_IDENTITY_KEY_BITS = 4096
export const MAX_IDENTITY_KEY_EXPONENT_BYTES = 8
