/** Sizes of what an attestation token may claim; a token as a whole is capped before. */
export const MAX_CLAIM_TEXT_CHARS = 16_384
export const MAX_CLAIM_ITEMS = 128
export const MAX_CLAIM_ITEM_CHARS = 2_048

/** Sizes of a reference-value document. */
export const MAX_REFERENCE_ENCLAVES = 1_000
export const MAX_IMAGES_PER_ENCLAVE = 256
export const MAX_REFERENCE_NAME_CHARS = 120
export const MAX_TRUST_ANCHORS = 64
/** Root certificates in the field have 1 to 2 KiB. */
export const MAX_ANCHOR_BYTES = 4_096
/** As many trust anchors as there may be take a third of it. */
export const MAX_REFERENCE_DOCUMENT_CHARS = 1_048_576

/** How many findings of a refused document are reported. */
export const MAX_REPORTED_PROBLEMS = 20
