/** Why a certificate or a path of certificates is refused. */
export const CERTIFICATE_REASONS = [
  'certificate_too_large',
  'certificate_malformed',
  'certificate_duplicate_extension',
  'certificate_algorithm_mismatch',
  'certificate_bundle_malformed',
  'certificate_bundle_too_large',
  'certificate_algorithm_refused',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_not_ca',
  'certificate_path_length',
  'certificate_key_usage',
  'certificate_extended_key_usage',
  'certificate_critical_extension',
  'certificate_signature_invalid',
  'certificate_anchor_unknown',
  'certificate_path_too_long',
  'certificate_path_too_complex',
] as const

export type CertificateFailure = {
  readonly reason: (typeof CERTIFICATE_REASONS)[number]
  /** The field, object identifier or limit concerned. */
  readonly detail: string
  /** Place in the path, 0 for the leaf, where a path was being checked. */
  readonly depth?: number
}
