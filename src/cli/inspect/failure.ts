import type { Compared } from '../../base/comparison.ts'

/** Refusals that only an inspection makes; all others are those of the evidence room. */
export const INSPECTION_REASONS = [
  'token_nonce_differs',
  'ear_nonce_differs',
  'ear_unsigned',
  'pcr_file_malformed',
  'request_challenge_differs',
  'request_device_key_differs',
] as const

export type InspectionFailure =
  /** The token's nonce is not the one of `--nonce`, or it has none. */
  | { readonly reason: 'token_nonce_differs' }
  /** The attestation result has not the nonce of `--nonce`; it is claims that nobody signed. */
  | { readonly reason: 'ear_nonce_differs' | 'ear_unsigned' }
  /** The request answers another challenge than the one of `--challenge`. */
  | ({ readonly reason: 'request_challenge_differs' } & Compared)
  /** The request is of another attestation key than `--device-key` names. */
  | ({ readonly reason: 'request_device_key_differs' } & Compared)
  /** `--pcrs` is no JSON of PCR values; `at` says where, such as `sha256 7`. */
  | { readonly reason: 'pcr_file_malformed'; readonly at: string }
