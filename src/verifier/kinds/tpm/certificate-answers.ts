import type { CertificateFailure } from '../../../evidence/x509/failure.ts'
import { untrusted, type WireAnswer } from '../../protocol/wire-answers.ts'
import type { IssuerFailure } from '../../steps/certified-path.ts'

const ASK = 'Get the attestation key certified anew, or ask the administrator of the service.'

/** What an agent is told of refused certificates of attestation keys. */
export const CERTIFICATE_ANSWERS: Readonly<
  Record<CertificateFailure['reason'] | IssuerFailure['reason'], WireAnswer>
> = {
  certificate_too_large: untrusted(
    'A certificate is too large.',
    'Send each certificate by itself, in DER.',
    'DER of at most 8192 bytes',
  ),
  certificate_malformed: untrusted(
    'A certificate is not X.509 in DER.',
    'Send the bytes of the certificate itself, not PEM and not base64 of base64.',
    'a certificate in DER (RFC 5280 §4.1)',
  ),
  certificate_duplicate_extension: untrusted(
    'A certificate has two extensions of one kind.',
    ASK,
    'each extension once (RFC 5280 §4.2)',
  ),
  certificate_algorithm_mismatch: untrusted(
    'A certificate names two different signature algorithms.',
    ASK,
    'one algorithm in both places (RFC 5280 §4.1.1.2)',
  ),
  certificate_bundle_malformed: untrusted(
    'A bundle of certificates cannot be read.',
    'Write certificates in PEM, one after the other.',
    'PEM blocks of certificates',
  ),
  certificate_bundle_too_large: untrusted(
    'A bundle has too many certificates.',
    'Leave out those that are not needed.',
  ),
  certificate_algorithm_refused: untrusted(
    'A certificate is signed with an algorithm, or has a key, that is not accepted.',
    ASK,
    'RSA of 2048 bits or more or ECDSA, with SHA-256 or stronger',
  ),
  certificate_expired: untrusted(
    'A certificate on the path has expired.',
    'Renew the certificate of the attestation key. If it is an authority that expired, ask the ' +
      'administrator of the service.',
    'a path that is valid now',
  ),
  certificate_not_yet_valid: untrusted(
    'A certificate on the path is not valid yet.',
    'Check the clock of whoever issued it, and wait until it is valid.',
    'a path that is valid now',
  ),
  certificate_not_ca: untrusted(
    'A certificate that issued another is not that of an authority.',
    ASK,
    'basicConstraints with cA (RFC 5280 §4.2.1.9)',
  ),
  certificate_is_ca: untrusted(
    'The certificate is that of an authority.',
    'Send the certificate of the attestation key as aik_cert, and authorities in aik_cert_chain.',
    'a certificate without cA',
  ),
  certificate_path_length: untrusted(
    'An authority on the path may not have so many below it.',
    ASK,
    'pathLenConstraint kept (RFC 5280 §4.2.1.9)',
  ),
  certificate_key_usage: untrusted(
    'The key usage of a certificate does not allow what it is used for.',
    ASK,
    'digitalSignature for an attestation key, keyCertSign for an authority',
  ),
  certificate_extended_key_usage: untrusted(
    'The certificate does not say that its key is an attestation key.',
    ASK,
    'extended key usage 2.23.133.8.3 (tcg-kp-AIKCertificate)',
  ),
  certificate_critical_extension: untrusted(
    'A certificate has a critical extension that is not understood.',
    ASK,
    'no critical extension that is unknown (RFC 5280 §4.2)',
  ),
  certificate_name_constraints: untrusted(
    'An authority on the path may not issue certificates of this name.',
    ASK,
    'names that the constraints allow (RFC 5280 §4.2.1.10)',
  ),
  certificate_policies: untrusted(
    'The certificate policies of the path leave none that is valid.',
    ASK,
    'a valid policy (RFC 5280 §6.1)',
  ),
  certificate_signature_invalid: untrusted(
    'The signature of a certificate is not valid.',
    'Send the certificate as its authority issued it.',
    'a signature by the key of its issuer',
  ),
  certificate_issuer_unknown: untrusted(
    'The certificate of an authority is missing, and nobody has it.',
    'Send the authorities between the key and the anchor as aik_cert_chain, or ask the ' +
      'administrator of the service to configure them.',
    'every authority up to a trust anchor',
  ),
  certificate_anchor_unknown: untrusted(
    'No trust anchor of the service vouches for the attestation key.',
    'Ask the administrator of the service to trust the root (AK_TRUST_ANCHORS), or enrol the key ' +
      'at /v1/enrolments.',
    'a path to a trust anchor of the service',
  ),
  certificate_path_too_long: untrusted(
    'There are too many authorities between the certificate and an anchor.',
    ASK,
    'a shorter path',
  ),
  certificate_path_too_complex: untrusted(
    'The certificates allow so many paths that they were not all tried.',
    'Send the authorities of one path alone as aik_cert_chain.',
    'the certificates of one path',
  ),
  certificate_issuer_unavailable: {
    form: 'unavailable',
    cause: 'The certificate of an authority cannot be had at the moment.',
    change: 'Send the same request again after the seconds in Retry-After.',
  },
}
