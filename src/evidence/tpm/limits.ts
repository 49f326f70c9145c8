/** The most that any TPM structure may carry here; checked before anything is read. */

/** TPMU_NAME: an algorithm id and the largest digest. TPM 2.0 Part 2 §10.5.2 */
export const MAX_NAME_BYTES = 2 + 64
/** TPM2B_DATA: sizeof(TPMT_HA). TPM 2.0 Part 2 §10.4.3 */
export const MAX_EXTRA_DATA_BYTES = 2 + 64
export const MAX_DIGEST_BYTES = 64

/** Above this an RSA signature check is a way to spend our time; TPMs make no larger keys. */
export const MAX_RSA_BITS = 4096
export const MIN_RSA_BITS = 2048
export const MAX_RSA_EXPONENT_BYTES = 4
export const MAX_RSA_BYTES = MAX_RSA_BITS / 8
/** A P-521 coordinate, the largest that a TPM signs with. */
export const MAX_ECC_PARAMETER_BYTES = 66

/** HASH_COUNT: more banks than any TPM has. */
export const MAX_PCR_BANKS = 16
/** PC Client TPMs have 24 PCRs, so three octets; a fourth is tolerated. */
export const MAX_PCR_SELECT_BYTES = 4
/** PCRs in a platform statement of Windows. */
export const PLATFORM_PCRS = 24

/** TPMS_ATTEST of a quote with 16 banks is 349 bytes long. */
export const MAX_ATTEST_BYTES = 512
/** TPMT_SIGNATURE: two algorithm ids, a size and the largest RSA signature. */
export const MAX_SIGNATURE_BYTES = 6 + MAX_RSA_BYTES
/** TPMT_PUBLIC with the largest RSA modulus, policy and parameters. */
export const MAX_PUBLIC_BYTES = 640
export const MAX_PLATFORM_STATEMENT_BYTES =
  24 + MAX_SIGNATURE_BYTES + MAX_ATTEST_BYTES + PLATFORM_PCRS * MAX_DIGEST_BYTES
/** SubjectPublicKeyInfo of RSA-4096 is 550 bytes long. */
export const MAX_SPKI_BYTES = 1024
export const MAX_PEM_CHARS = 4096
