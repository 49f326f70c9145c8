/** Refusals that only an inspection makes; all others are those of the evidence room. */
export const INSPECTION_REASONS = ['token_nonce_differs', 'pcr_file_malformed'] as const

export type InspectionFailure =
  /** The token's nonce is not the one of `--nonce`, or it has none. */
  | { readonly reason: 'token_nonce_differs' }
  /** `--pcrs` is no JSON of PCR values; `at` says where, such as `sha256 7`. */
  | { readonly reason: 'pcr_file_malformed'; readonly at: string }
