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
  'certificate_is_ca',
  'certificate_path_length',
  'certificate_key_usage',
  'certificate_extended_key_usage',
  'certificate_critical_extension',
  'certificate_name_constraints',
  'certificate_policies',
  'certificate_signature_invalid',
  'certificate_issuer_unknown',
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
  /** What would have been right: the form of a certificate, or the authority that is missing. */
  readonly expected?: string
}

/** An issuer that was looked for while a path was built, and that nobody supplied. */
export type MissingIssuer = {
  /** Place in the path of the certificate whose issuer it is. */
  readonly depth: number
  /** The issuer's Name, as `nameKey` writes it. */
  readonly issuer: string
  /** Its key's identifier by the certificate, hexadecimal. */
  readonly keyIdentifier: string | undefined
  /** Where the certificate says that it can be had. Whoever wrote them is not trusted. */
  readonly urls: readonly string[]
}

/** Why no path is valid, and with whose certificates one might yet be found. */
export type PathFailure = CertificateFailure & {
  /**
   * For every certificate that was reached and that none of those supplied was found to have signed,
   * whatever names they carry. Empty: nothing that could be fetched would help.
   */
  readonly missingIssuers: readonly MissingIssuer[]
}
