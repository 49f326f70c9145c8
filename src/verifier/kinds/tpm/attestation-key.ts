import { type Compared, comparison, showKey } from '../../../base/comparison.ts'
import { inMember } from '../../../base/located.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import type { TpmKey } from '../../../evidence/tpm/key.ts'
import { aikPubHash, importTpmKey, type TpmKeyFailure } from '../../../evidence/tpm/key.ts'
import { importSpki } from '../../../evidence/tpm/spki.ts'
import { type Certificate, parseCertificate } from '../../../evidence/x509/certificate.ts'
import type { CertificateFailure, PathFailure } from '../../../evidence/x509/failure.ts'
import { fingerprintOf } from '../../../evidence/x509/fingerprint.ts'
import { AIK_CERTIFICATE_USAGE, AIK_PURPOSE, verifyPath } from '../../../evidence/x509/path.ts'
import {
  type EnrolledKeyFailure,
  type EnrolmentTrust,
  isEnrolledHere,
  verifyEnrolledKey,
} from '../../enrolment/enrolled-key.ts'
import { aboutJwk, isSameKey } from '../../protocol/public-jwk.ts'
import {
  type CertifiedPath,
  findCertifiedPath,
  hasAnchors,
  type IssuerFailure,
  type PathTrust,
} from '../../steps/certified-path.ts'
import type { AikEvidence } from './tpm-evidence.ts'

export const AIK_REASONS = [
  'aik_missing',
  'aik_certificate_key_mismatch',
  'aik_not_certified',
] as const

export type AikFailure =
  | { readonly reason: 'aik_missing' | 'aik_not_certified'; readonly member: string }
  | ({ readonly reason: 'aik_certificate_key_mismatch'; readonly member: string } & Compared)
  | TpmKeyFailure
  | CertificateFailure
  | PathFailure
  | IssuerFailure
  | EnrolledKeyFailure

/**
 * An attestation key as the agent names it. Nothing says yet that it lives in a TPM: a quote proves
 * who holds it, a certificate that a TPM does.
 */
export type Aik = {
  readonly key: TpmKey
  /** SHA-256 of its SubjectPublicKeyInfo: the device key, and inside `aikPubHash`. */
  readonly hash: Uint8Array
  /** Unverified, both. */
  readonly certificate: Certificate | undefined
  /** Of authorities, as the agent sent them. */
  readonly chain: readonly Certificate[]
  /** Path of the certificate, whether there is one or not, for refusals. */
  readonly certificateMember: string
  /** Path of what the key was taken from: `aik_pub`, or `aik_cert` where that came alone. */
  readonly keyMember: string
}

/** Whom to believe about attestation keys. */
export type AikTrust = PathTrust & {
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
  /** Absent: no key counts for having been enrolled here. */
  readonly enrolment?: EnrolmentTrust | undefined
}

/** Whether a certificate says of its key that it is an AIK. Nothing is verified. */
export function namesAikPurpose(certificate: Certificate | undefined): boolean {
  return certificate?.extendedKeyUsage?.includes(AIK_PURPOSE) === true
}

/** Takes the AIK from its JWK or its certificate; where both came, they must name one key. */
export async function resolveAik(evidence: AikEvidence): Promise<Result<Aik, AikFailure>> {
  const { member } = evidence
  const inCertificate = `${member}.aik_cert`
  const certificate =
    evidence.certificate && inMember(inCertificate, parseCertificate(evidence.certificate))
  if (certificate?.ok === false) return certificate
  const certified = certificate && inMember(inCertificate, await importSpki(certificate.value.spki))
  if (certified?.ok === false) return certified
  const jwk = evidence.publicKey ?? certified?.value
  if (jwk === undefined) return err({ reason: 'aik_missing', member: `${member}.aik_pub` })
  const isCertified = evidence.publicKey === undefined
  const keyMember = isCertified ? inCertificate : `${member}.aik_pub`
  const key = await importTpmKey(jwk)
  if (!key.ok) return isCertified ? inMember(keyMember, key) : err(aboutJwk(key.failure, keyMember))
  if (certified !== undefined) {
    const other = inMember(inCertificate, await importTpmKey(certified.value))
    if (!other.ok) return other
    if (!isSameKey(key.value, other.value)) {
      const [named, sent] = [other.value.jwk, key.value.jwk]
      const compared = () => [comparison('aik_pub', showKey(named), showKey(sent))]
      return err({ reason: 'aik_certificate_key_mismatch', member: inCertificate, compared })
    }
  }
  const hash = await aikPubHash(key.value)
  if (!hash.ok) return hash
  const chain = readChain(evidence.chain ?? [], `${member}.aik_cert_chain`)
  if (!chain.ok) return chain
  const named = { key: key.value, hash: hash.value, keyMember, certificateMember: inCertificate }
  return ok({ ...named, certificate: certificate?.value, chain: chain.value })
}

function readChain(
  chain: readonly Uint8Array[],
  member: string,
): Result<readonly Certificate[], CertificateFailure> {
  const certificates: Certificate[] = []
  for (const [index, der] of chain.entries()) {
    const certificate = parseCertificate(der)
    if (!certificate.ok) return inMember(`${member}[${index}]`, certificate)
    certificates.push(certificate.value)
  }
  return ok(certificates)
}

/**
 * Checks the AIK's certificate up to a trust anchor, and gives the path. `undefined`, so that the
 * claim `aikValidated` is false, only where no anchor is required: else such a key is refused. An
 * issuer that cannot be had at the moment says nothing about the key either way.
 */
export async function validateAik(
  aik: Aik,
  trust: AikTrust,
  now: Date,
): Promise<Result<CertifiedPath | undefined, AikFailure>> {
  const { isRequired = hasAnchors(trust) } = trust
  const path = inMember(aik.certificateMember, await findPath(aik, trust, now))
  if (path.ok || path.failure.reason === 'certificate_issuer_unavailable') return path
  return isRequired ? path : ok(undefined)
}

async function findPath(
  aik: Aik,
  trust: AikTrust,
  now: Date,
): Promise<Result<CertifiedPath, AikFailure>> {
  const { certificate: leaf, chain } = aik
  if (leaf === undefined) {
    return err({ reason: 'aik_not_certified', member: aik.certificateMember })
  }
  const { enrolment, laxAnchors = new Set() } = trust
  if (enrolment !== undefined && isEnrolledHere(leaf, enrolment)) {
    return verifyEnrolledKey(leaf, enrolment, now)
  }
  const isLax = leaf.extendedKeyUsage === undefined && laxAnchors.size > 0
  const usage = { ...AIK_CERTIFICATE_USAGE, isPurposeOptional: isLax }
  return findCertifiedPath({
    trust,
    sent: chain,
    verify({ anchors, intermediates }) {
      const fit = isLax ? anchors.filter((one) => laxAnchors.has(fingerprintOf(one))) : anchors
      return verifyPath({ leaf, anchors: fit, intermediates, now, usage })
    },
  })
}
