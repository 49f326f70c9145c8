import { equalBytes } from '../../digest.ts'
import { err, ok, type Result } from '../../failure.ts'
import type { Certificate } from './certificate.ts'
import type { KeyUsage } from './extensions.ts'
import type { CertificateFailure } from './failure.ts'
import { MAX_INTERMEDIATES, MAX_PATH_CERTIFICATES, MAX_SIGNATURE_CHECKS } from './limits.ts'
import { readSubjectPublicKey } from './public-key.ts'
import { checkCertificateSignature } from './signature.ts'

/** What the caller is going to use the leaf's key for. */
export type PathUsage = {
  /** A leaf with a keyUsage extension must allow at least one of these. */
  readonly keyUsage: readonly KeyUsage[]
  /** The leaf must have an extKeyUsage extension with at least one of these. */
  readonly extendedKeyUsage?: readonly string[]
  /** Critical extensions, by object identifier, that the caller knows and does not depend on. */
  readonly allowedCriticalExtensions: readonly string[]
}

export type PathInput = {
  readonly leaf: Certificate
  /** In any order; what a peer sent is as good as what we keep, since neither is trusted. */
  readonly intermediates: readonly Certificate[]
  /** Trusted by configuration, as name and key. Self-signed or not. */
  readonly anchors: readonly Certificate[]
  readonly now: Date
  readonly usage: PathUsage
}

/** Why no path of this usage can end at a certificate, whenever that is; else `undefined`. */
export function findUnfitAnchor(
  certificate: Certificate,
  usage: PathUsage,
): CertificateFailure | undefined {
  const unfit = checkExtensions(certificate, 0, usage) ?? checkIssuer(certificate, [])
  if (unfit !== undefined) return unfit
  const key = readSubjectPublicKey(certificate.spki)
  return key.ok ? undefined : key.failure
}

declare const verified: unique symbol

/** A path whose every rule of RFC 5280 §6.1 was checked. Only `verifyPath` makes one. */
export type VerifiedPath = {
  /** From the leaf to the anchor. */
  readonly certificates: readonly Certificate[]
  readonly leaf: Certificate
  readonly anchor: Certificate
  readonly [verified]: true
}

/**
 * TPM makers put model and version into a critical subjectAltName when the subject is empty (TCG EK
 * Credential Profile §3.2.9). Whoever only needs the key may allow it.
 */
export const TPM_CRITICAL_EXTENSIONS: readonly string[] = ['2.5.29.17']

/** For a TPM's attestation key: it signs, whatever purposes its certificate names. */
export const ATTESTATION_KEY_USAGE: PathUsage = {
  keyUsage: ['digitalSignature'],
  allowedCriticalExtensions: TPM_CRITICAL_EXTENSIONS,
}

/** basicConstraints, keyUsage, extKeyUsage: what this file itself processes. */
const PROCESSED_EXTENSIONS: readonly string[] = ['2.5.29.19', '2.5.29.15', '2.5.29.37']
const NAME_CONSTRAINTS = '2.5.29.30'

/**
 * Builds and validates a path from `leaf` to one of `anchors`. RFC 5280 §6.1.
 *
 * Every certificate, the anchor included, must be valid at `now`; every issuer must be a CA with
 * room in its path length and, where it says how its key is used, allowed to sign certificates;
 * unknown critical extensions and name constraints are refused. Nothing is fetched, revocation is
 * not looked up. The work is bounded whatever certificates are supplied.
 *
 * The input certificates are unverified; a failure tells of the path that came furthest.
 */
export async function verifyPath(
  input: PathInput,
): Promise<Result<VerifiedPath, CertificateFailure>> {
  if (Number.isNaN(input.now.getTime())) throw new TypeError('now is not a time')
  if (input.intermediates.length > MAX_INTERMEDIATES) {
    return err({ reason: 'certificate_path_too_complex', detail: 'intermediates' })
  }
  const unfit = checkCertificate(input.leaf, 0, input) ?? checkLeaf(input.leaf, input.usage)
  if (unfit !== undefined) return err(unfit)
  const search = new PathSearch(input)
  const certificates = await search.extend([input.leaf])
  if (certificates === undefined) return err(search.failure)
  const anchor = certificates.at(-1)
  if (anchor === undefined) throw new TypeError('a path has an anchor')
  return ok({ certificates, leaf: input.leaf, anchor } as unknown as VerifiedPath)
}

/** Depth first over the certificates whose subject is the issuer looked for, anchors first. */
class PathSearch {
  readonly #input: PathInput
  #signatureChecks = 0
  #failure: CertificateFailure | undefined
  #furthest = 0

  constructor(input: PathInput) {
    this.#input = input
  }

  get failure(): CertificateFailure {
    return this.#failure ?? { reason: 'certificate_anchor_unknown', detail: 'issuer' }
  }

  async extend(path: readonly Certificate[]): Promise<readonly Certificate[] | undefined> {
    const last = path.at(-1)
    if (last === undefined) throw new TypeError('a path begins with a leaf')
    for (const anchor of this.#input.anchors) {
      if (isIssuer(anchor, last) && (await this.#accepts(path, last, anchor))) {
        return [...path, anchor]
      }
    }
    for (const candidate of this.#input.intermediates) {
      if (!isIssuer(candidate, last) || path.some((one) => isSameEntity(one, candidate))) continue
      if (!(await this.#accepts(path, last, candidate))) continue
      const whole = await this.extend([...path, candidate])
      if (whole !== undefined) return whole
    }
    return undefined
  }

  async #accepts(
    path: readonly Certificate[],
    last: Certificate,
    issuer: Certificate,
  ): Promise<boolean> {
    const depth = path.length
    const failure =
      checkDepth(depth) ??
      checkCertificate(issuer, depth, this.#input) ??
      checkIssuer(issuer, path) ??
      (await this.#checkSignature(last, issuer, depth))
    if (failure === undefined) return true
    if (depth > this.#furthest) {
      this.#furthest = depth
      this.#failure = failure
    }
    return false
  }

  async #checkSignature(
    certificate: Certificate,
    issuer: Certificate,
    depth: number,
  ): Promise<CertificateFailure | undefined> {
    if (this.#signatureChecks >= MAX_SIGNATURE_CHECKS) {
      return { reason: 'certificate_path_too_complex', detail: 'signatures', depth }
    }
    const key = readSubjectPublicKey(issuer.spki)
    if (!key.ok) return { ...key.failure, depth }
    this.#signatureChecks += 1
    const check = await checkCertificateSignature(certificate, key.value)
    switch (check) {
      case 'valid':
        return undefined
      case 'invalid':
        return { reason: 'certificate_signature_invalid', detail: 'signature', depth: depth - 1 }
      case 'refused':
        return { reason: 'certificate_algorithm_refused', detail: 'signature', depth: depth - 1 }
    }
  }
}

/** RFC 5280 §6.1.3 (a)(4) on the DER as received; every certificate seen in the field agrees. */
function isIssuer(candidate: Certificate, certificate: Certificate): boolean {
  return equalBytes(candidate.subject, certificate.issuer)
}

function isSameEntity(a: Certificate, b: Certificate): boolean {
  return equalBytes(a.subject, b.subject) && equalBytes(a.spki, b.spki)
}

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject, certificate.issuer)
}

function checkDepth(depth: number): CertificateFailure | undefined {
  if (depth < MAX_PATH_CERTIFICATES) return undefined
  return { reason: 'certificate_path_too_long', detail: `${MAX_PATH_CERTIFICATES}`, depth }
}

/** What holds for every certificate of a path. RFC 5280 §6.1.3 (a)(2), §6.1.4 (o), §6.1.5 (f) */
function checkCertificate(
  certificate: Certificate,
  depth: number,
  { now, usage }: PathInput,
): CertificateFailure | undefined {
  const { notBefore, notAfter } = certificate
  if (now < notBefore) {
    return { reason: 'certificate_not_yet_valid', detail: notBefore.toISOString(), depth }
  }
  if (now > notAfter) {
    return { reason: 'certificate_expired', detail: notAfter.toISOString(), depth }
  }
  return checkExtensions(certificate, depth, usage)
}

function checkExtensions(
  certificate: Certificate,
  depth: number,
  usage: PathUsage,
): CertificateFailure | undefined {
  for (const [oid, { critical }] of certificate.extensions) {
    // Not critical or not, a constraint on names is an order that is not carried out here.
    const matters = critical || oid === NAME_CONSTRAINTS
    const known =
      PROCESSED_EXTENSIONS.includes(oid) || usage.allowedCriticalExtensions.includes(oid)
    if (matters && !known) return { reason: 'certificate_critical_extension', detail: oid, depth }
  }
  return undefined
}

/** RFC 5280 §6.1.4 (k) to (n) */
function checkIssuer(
  issuer: Certificate,
  path: readonly Certificate[],
): CertificateFailure | undefined {
  const depth = path.length
  if (issuer.basicConstraints?.ca !== true) {
    return { reason: 'certificate_not_ca', detail: 'basicConstraints', depth }
  }
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has('keyCertSign')) {
    return { reason: 'certificate_key_usage', detail: 'keyCertSign', depth }
  }
  const { pathLength } = issuer.basicConstraints
  const between = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length
  if (pathLength !== undefined && between > pathLength) {
    return { reason: 'certificate_path_length', detail: `${between} of ${pathLength}`, depth }
  }
  return undefined
}

function checkLeaf(leaf: Certificate, usage: PathUsage): CertificateFailure | undefined {
  if (leaf.keyUsage !== undefined && !usage.keyUsage.some((use) => leaf.keyUsage?.has(use))) {
    return { reason: 'certificate_key_usage', detail: usage.keyUsage.join(' or '), depth: 0 }
  }
  const wanted = usage.extendedKeyUsage
  if (wanted !== undefined && !wanted.some((oid) => leaf.extendedKeyUsage?.includes(oid))) {
    return { reason: 'certificate_extended_key_usage', detail: wanted.join(' or '), depth: 0 }
  }
  return undefined
}
