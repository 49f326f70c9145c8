import type { TpmKey } from '../evidence/tpm/key.ts'
import { aikPubHash, importTpmKey, type TpmKeyFailure } from '../evidence/tpm/key.ts'
import { importSpki } from '../evidence/tpm/spki.ts'
import { type Certificate, parseCertificate } from '../evidence/x509/certificate.ts'
import type { CertificateFailure, PathFailure } from '../evidence/x509/failure.ts'
import { fingerprintOf } from '../evidence/x509/fingerprint.ts'
import { AIK_CERTIFICATE_USAGE, AIK_PURPOSE, verifyPath } from '../evidence/x509/path.ts'
import { err, ok, type Result } from '../failure.ts'
import type { AikEvidence } from './attestation-evidence.ts'
import { isSameKey } from './public-jwk.ts'

export const AIK_REASONS = [
  'aik_missing',
  'aik_certificate_key_mismatch',
  'aik_not_certified',
] as const

export type AikFailure =
  | { readonly reason: (typeof AIK_REASONS)[number] }
  | TpmKeyFailure
  | CertificateFailure
  | PathFailure

/**
 * An attestation key as the agent names it. Nothing says yet that it lives in a TPM: a quote proves
 * who holds it, a certificate that a TPM does.
 */
export type Aik = {
  readonly key: TpmKey
  /** SHA-256 of its SubjectPublicKeyInfo: the device key, and inside `aikPubHash`. */
  readonly hash: Uint8Array
  /** Unverified. */
  readonly certificate: Certificate | undefined
}

/** Whom to believe about attestation keys. */
export type AikTrust = {
  readonly anchors: readonly Certificate[]
  /**
   * Whether a key that no anchor vouches for is refused; else it is let in and only not called
   * validated. Absent: where there are anchors. Anchors of which none counts any more still ask for
   * one, or the end of the last one would let everybody in.
   */
  readonly isRequired?: boolean
  /**
   * Fingerprints of the anchors under which a certificate of an attestation key need not name its
   * purpose: `lax` in the configuration, since there any certificate for signatures makes an AK.
   */
  readonly laxAnchors?: ReadonlySet<string>
  /** A request carries the AIK certificate alone, so those between it and an anchor are here. */
  readonly intermediates: readonly Certificate[]
}

/** Whether a certificate says of its key that it is an AIK. Nothing is verified. */
export function namesAikPurpose(certificate: Certificate | undefined): boolean {
  return certificate?.extendedKeyUsage?.includes(AIK_PURPOSE) === true
}

/** Takes the AIK from its JWK or its certificate; where both came, they must name one key. */
export async function resolveAik(evidence: AikEvidence): Promise<Result<Aik, AikFailure>> {
  const certificate =
    evidence.certificate === undefined ? undefined : parseCertificate(evidence.certificate)
  if (certificate?.ok === false) return certificate
  const certified = certificate && (await importSpki(certificate.value.spki))
  if (certified?.ok === false) return certified
  const jwk = evidence.publicKey ?? certified?.value
  if (jwk === undefined) return err({ reason: 'aik_missing' })
  const key = await importTpmKey(jwk)
  if (!key.ok) return key
  if (certified !== undefined) {
    const other = await importTpmKey(certified.value)
    if (!other.ok) return other
    if (!isSameKey(key.value, other.value)) return err({ reason: 'aik_certificate_key_mismatch' })
  }
  const hash = await aikPubHash(key.value)
  if (!hash.ok) return hash
  return ok({ key: key.value, hash: hash.value, certificate: certificate?.value })
}

/**
 * Checks the AIK's certificate up to a trust anchor, and gives that anchor. `undefined`, so that the
 * claim `aikValidated` is false, only where no anchor is required: else such a key is refused.
 */
export async function validateAik(
  aik: Aik,
  trust: AikTrust,
  now: Date,
): Promise<Result<Certificate | undefined, AikFailure>> {
  const { isRequired = trust.anchors.length > 0 } = trust
  const anchor = await findAnchor(aik, trust, now)
  return anchor.ok || isRequired ? anchor : ok(undefined)
}

async function findAnchor(
  aik: Aik,
  trust: AikTrust,
  now: Date,
): Promise<Result<Certificate, AikFailure>> {
  if (aik.certificate === undefined) return err({ reason: 'aik_not_certified' })
  const isLax = (anchor: Certificate) => trust.laxAnchors?.has(fingerprintOf(anchor)) === true
  const lax = aik.certificate.extendedKeyUsage === undefined ? trust.anchors.filter(isLax) : []
  const path = await verifyPath({
    leaf: aik.certificate,
    intermediates: trust.intermediates,
    anchors: lax.length > 0 ? lax : trust.anchors,
    now,
    usage: { ...AIK_CERTIFICATE_USAGE, isPurposeOptional: lax.length > 0 },
  })
  if (!path.ok) return path
  const { certificate } = path.value.anchor
  if (certificate === undefined) throw new TypeError('anchors of attestation keys are certificates')
  return ok(certificate)
}
