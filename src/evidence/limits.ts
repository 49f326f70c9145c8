/** Limits of the tokens, key sets and proofs that this folder reads. */

/** A compact JWS. Real attestation tokens have 2 to 12 KiB, with certificates in the header. */
export const MAX_TOKEN_CHARS = 65_536
/** A DPoP proof with an RSA key has about 2 KiB. */
export const MAX_PROOF_CHARS = 8_192
/** JSON values and members in one header or payload. */
export const MAX_JSON_VALUES = 8_192
/** Claims that name things: `jti`, `kid`, `x-ms-policy-hash`. */
export const MAX_NAME_CHARS = 256
/** `nonce` and `rp_data`. */
export const MAX_NONCE_CHARS = 4_096

/** Azure publishes three. */
export const MAX_KEY_SET_KEYS = 64
/** Certificates in one `x5c`. */
export const MAX_KEY_CHAIN_CERTIFICATES = 8
/** Self-signed certificates of Azure carry the whole evidence of the enclave that holds the key. */
export const MAX_KEY_CERTIFICATE_BYTES = 65_536
