/**
 * Every limit of the verifier room. Azure documents none; these hold the largest honest message
 * (boot logs of some 100 KiB, thrice wrapped in base64) several times over.
 */

/** The HTTP body: `{"data": …}`. */
export const MAX_ENVELOPE_BYTES = 1_572_864
/** `data` decoded: the inner JSON message. */
export const MAX_MESSAGE_BYTES = 1_179_648
/** One measured boot log, decoded. */
export const MAX_LOG_BYTES = 524_288
/** A TPMS_ATTEST, TPMT_SIGNATURE or TPMT_PUBLIC. */
export const MAX_TPM_STRUCTURE_BYTES = 4_096
/** NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT: quote, signature and 24 PCRs. */
export const MAX_PLATFORM_STATEMENT_BYTES = 8_192
export const MAX_ENCLAVE_REPORT_BYTES = 65_536
export const MAX_CERTIFICATE_BYTES = 8_192
/** `aik_cert_chain`: an issuing authority, one or two above it, the root. */
export const MAX_CHAIN_CERTIFICATES = 4
/** How often issuers are asked for while one path is looked for: once for each above the leaf. */
export const MAX_ISSUER_ROUNDS = 4
/** Of several certificates whose issuers are missing, so many are asked after in a round. */
export const MAX_ISSUERS_ASKED = 2
/** What the relying party binds: our sealed nonce is far smaller. */
export const MAX_RP_DATA_BYTES = 2_048
export const MAX_RP_ID_CHARS = 2_048
export const MAX_CHALLENGE_BYTES = 64
export const MAX_SERVICE_CONTEXT_CHARS = 2_048
/** Logs in one `current_attestation`: firmware, dynamic launch, IMA. */
export const MAX_LOGS = 3
export const MAX_PCR_BANKS = 4
export const MAX_PCRS = 24
/** As Azure Attestation. */
export const MAX_OTHER_KEYS = 2
/** Read for their shape only, then dropped. */
export const MAX_CUSTOM_CLAIMS = 64
/** A JWS header with `alg` and `typ` and whatever a client adds. */
export const MAX_JWS_HEADER_BYTES = 4_096

export const MAX_JSON_DEPTH = 16
/** Values of all kinds in one JSON text; 24 PCRs in four banks need about 500. */
export const MAX_JSON_VALUES = 4_096

/** As Azure Attestation. */
export const CHALLENGE_BYTES = 16
/** Of AES-GCM. NIST SP 800-38D §8.2.2 */
export const CONTEXT_IV_BYTES = 12
/** 40 hex digits, as Azure's `jti`. */
export const TOKEN_ID_BYTES = 20
/** Azure dates its TPM tokens back by this much, for clocks that run behind. */
export const TOKEN_BACKDATE_SECONDS = 300
