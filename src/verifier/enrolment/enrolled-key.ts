import { err, ok, type Result } from '../../base/result.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import type { PathFailure } from '../../evidence/x509/failure.ts'
import { hardwareNameOf } from '../../evidence/x509/hardware-name.ts'
import { isSameName } from '../../evidence/x509/name.ts'
import { type PathUsage, verifyPath } from '../../evidence/x509/path.ts'
import type { CertifiedPath } from '../steps/certified-path.ts'
import { readEnrolledNames } from './certificate-names.ts'

export const ENROLLED_KEY_REASONS = ['enrolment_anchor_withdrawn'] as const

export type EnrolledKeyFailure =
  | PathFailure
  | { readonly reason: (typeof ENROLLED_KEY_REASONS)[number] }

/** Whom to believe about keys that were enrolled here. */
export type EnrolmentTrust = {
  /** Our own authority: a certificate for each of its keys that may have signed one that counts. */
  readonly authorities: readonly Certificate[]
  /** Who vouches for endorsement keys now, by fingerprint. */
  readonly ekAnchors: ReadonlyMap<string, Certificate>
}

/** tcg-kp-AIKCertificate */
const AIK_PURPOSE = '2.23.133.8.3'
const USAGE: PathUsage = {
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [AIK_PURPOSE],
  // The subject alternative name, which is read here.
  allowedCriticalExtensions: ['2.5.29.17'],
}

/** Whether a certificate says that it is one of ours. Nothing is verified. */
export function isEnrolledHere(certificate: Certificate, { authorities }: EnrolmentTrust): boolean {
  return authorities.some(({ subject }) => isSameName(subject, certificate.issuer))
}

/**
 * Verifies a certificate that we gave to a key after its TPM had activated a credential: that we did,
 * and that the anchor that vouched for the TPM then, which comes back, still counts.
 */
export async function verifyEnrolledKey(
  leaf: Certificate,
  trust: EnrolmentTrust,
  now: Date,
): Promise<Result<CertifiedPath, EnrolledKeyFailure>> {
  const anchors = trust.authorities
  const path = await verifyPath({ leaf, intermediates: [], anchors, now, usage: USAGE })
  if (!path.ok) return path
  const anchor = trust.ekAnchors.get(readEnrolledNames(leaf)?.anchor ?? '')
  if (anchor === undefined) return err({ reason: 'enrolment_anchor_withdrawn' })
  return ok({ anchor, learnt: [] })
}

/**
 * Which TPM an attestation key lives in, by its certificate: the one that proved it here, or the one
 * that its authority names. The certificate must have been verified up to an anchor.
 */
export function nameTpm(
  certificate: Certificate,
  trust: EnrolmentTrust | undefined,
): { readonly identity: Uint8Array | undefined; readonly enrolled: boolean } {
  if (trust !== undefined && isEnrolledHere(certificate, trust)) {
    return { identity: readEnrolledNames(certificate)?.ekHash, enrolled: true }
  }
  return { identity: hardwareNameOf(certificate)?.identity, enrolled: false }
}
