import { digest } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  type EkFailure,
  type EkKind,
  type EndorsementKey,
  endorsementKeyOf,
} from '../../evidence/tpm/endorsement-key.ts'
import type { TpmKeyFailure } from '../../evidence/tpm/key.ts'
import { importSpki } from '../../evidence/tpm/spki.ts'
import { type Certificate, parseCertificate } from '../../evidence/x509/certificate.ts'
import type { CertificateFailure } from '../../evidence/x509/failure.ts'
import { namesTpmModel } from '../../evidence/x509/hardware-name.ts'
import { plainRsaSpki } from '../../evidence/x509/oaep-spki.ts'
import { type PathUsage, TPM_CRITICAL_EXTENSIONS } from '../../evidence/x509/path.ts'

export const EK_CERTIFICATE_REASONS = ['ek_purpose_missing', 'ek_type_not_accepted'] as const

export type EkCertificateFailure =
  | CertificateFailure
  | TpmKeyFailure
  | EkFailure
  | { readonly reason: (typeof EK_CERTIFICATE_REASONS)[number]; readonly detail: string }

/** tcg-kp-EKCertificate. TCG EK Credential Profile §3.2.16 */
const EK_PURPOSE = '2.23.133.8.1'

/** The certificate of an endorsement key, as its maker writes it. Nothing of it is verified. */
export type NamedEk = {
  readonly certificate: Certificate
  readonly key: EndorsementKey
  /** SHA-256 of the key's SubjectPublicKeyInfo as rsaEncryption: what names the TPM here. */
  readonly hash: Uint8Array
}

/**
 * Reads the certificate of an endorsement key that was made by a default template. `accepted` are the
 * kinds of keys that count: a TPM may have one certified key of each, and each names another device.
 */
export async function readEkCertificate(input: {
  readonly certificate: Uint8Array
  /** TPMT_PUBLIC or TPM2B_PUBLIC, where the agent sends it. */
  readonly publicArea: Uint8Array | undefined
  readonly accepted: readonly EkKind[]
}): Promise<Result<NamedEk, EkCertificateFailure>> {
  const certificate = parseCertificate(input.certificate)
  if (!certificate.ok) return certificate
  const spki = plainRsaSpki(certificate.value.spki)
  const jwk = await importSpki(spki)
  if (!jwk.ok) return jwk
  const key = endorsementKeyOf(jwk.value, input.publicArea)
  if (!key.ok) return key
  const { kind } = key.value
  if (!input.accepted.includes(kind)) return err({ reason: 'ek_type_not_accepted', detail: kind })
  if (!isOfEndorsementKey(certificate.value)) {
    return err({ reason: 'ek_purpose_missing', detail: EK_PURPOSE })
  }
  return ok({ certificate: certificate.value, key: key.value, hash: digest('sha256', spki) })
}

/**
 * A certificate that names purposes must name this one. Many of endorsement keys name none; of those
 * one must say of which TPM model the key is, or any certificate of a maker's other authorities would
 * make an endorsement key of a key in software.
 */
function isOfEndorsementKey(certificate: Certificate): boolean {
  const { extendedKeyUsage } = certificate
  if (extendedKeyUsage !== undefined) return extendedKeyUsage.includes(EK_PURPOSE)
  return namesTpmModel(certificate)
}

/**
 * What an anchor of endorsement keys has to be fit for, whatever their kind. Many of their certificates
 * name no purpose, and under these an anchor of other purposes counts too.
 */
export const EK_ANCHOR_USAGE: PathUsage = {
  keyUsage: [],
  allowedCriticalExtensions: TPM_CRITICAL_EXTENSIONS,
}

/** What the path of such a certificate is checked for. TCG EK Credential Profile §3.2.15 */
export function ekUsageOf({ certificate, key }: NamedEk): PathUsage {
  const usage: PathUsage = {
    keyUsage: [key.kind.startsWith('rsa') ? 'keyEncipherment' : 'keyAgreement'],
    allowedCriticalExtensions: TPM_CRITICAL_EXTENSIONS,
  }
  return certificate.extendedKeyUsage === undefined
    ? usage
    : { ...usage, extendedKeyUsage: [EK_PURPOSE] }
}
