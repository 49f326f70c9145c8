/** Every limit of VBS enclave reports. */

/** The real report with six modules has 1,368 bytes. */
export const MAX_REPORT_PACKAGE_BYTES = 65_536
/** One signature of the identity signing key: RSA of at most 4096 bits. */
export const MAX_REPORT_SIGNATURE_BYTES = 512
export const MAX_REPORT_MODULES = 256
/** VSM_IDKS_INFO: 16 bytes of lengths, the exponent, the modulus. */
export const MAX_IDKS_BYTES = 1_040
export const MAX_IDKS_MODULUS_BYTES = 1_024
export const MAX_IDKS_EXPONENT_BYTES = 8
/** A key file in any form, PEM included. */
export const MAX_KEY_FILE_BYTES = 65_536
