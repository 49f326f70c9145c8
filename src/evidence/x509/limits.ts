/** Every limit of certificate parsing and path validation. */

/** Real AK, EK and CA certificates have 1 to 3 KiB. */
export const MAX_CERTIFICATE_BYTES = 16_384
/** ASN.1 nesting; a certificate needs about 8. */
export const MAX_DER_DEPTH = 16
/** ASN.1 values in one certificate; real ones have about 100. */
export const MAX_DER_NODES = 2_048
/** The longest in use, those made of a UUID, have about 20. */
export const MAX_OID_BYTES = 64
export const MAX_EXTENSIONS = 48
export const MAX_BUNDLE_CHARS = 1_048_576
export const MAX_BUNDLE_CERTIFICATES = 256
/** Certificates from the leaf to the anchor, both included. */
export const MAX_PATH_CERTIFICATES = 8
/** Intermediates to choose from, the configured ones included. */
export const MAX_INTERMEDIATES = 256
/** Signatures tried while looking for one path. */
export const MAX_SIGNATURE_CHECKS = 24
/** Issuers tried while looking for one path, again in another place included. */
export const MAX_PATH_STEPS = 512

export const MIN_RSA_BITS = 2_048
export const MAX_RSA_BITS = 8_192
/** Larger public exponents only cost time. */
export const MAX_RSA_EXPONENT_BYTES = 4
/** Attributes of one Name; real ones have up to 10. */
export const MAX_NAME_ATTRIBUTES = 64
/** Alternative names of one certificate, and subtrees of one constraint; real ones have up to 20. */
export const MAX_GENERAL_NAMES = 256
