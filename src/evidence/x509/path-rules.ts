import type { Certificate } from './certificate.ts'
import type { KeyUsage } from './extensions.ts'
import type { CertificateFailure } from './failure.ts'
import { MAX_PATH_CERTIFICATES } from './limits.ts'
import { isSameName } from './name.ts'
import { readSubjectPublicKey } from './public-key.ts'

/** What the caller is going to use the leaf's key for. */
export type PathUsage = {
  /** A leaf with a keyUsage extension must allow at least one of these. */
  readonly keyUsage: readonly KeyUsage[]
  /**
   * Purposes of which the leaf must name at least one, and so must every issuer that names any: an
   * authority cannot hand out what it was not given.
   */
  readonly extendedKeyUsage?: readonly string[]
  /** Whether a leaf that names no purpose at all passes too. */
  readonly isPurposeOptional?: boolean
  /** Whether a leaf that is a certificate authority is refused. */
  readonly isEndEntity?: boolean
  /** Critical extensions, by object identifier, that the caller knows and does not depend on. */
  readonly allowedCriticalExtensions: readonly string[]
}

/** What the rules for single certificates are held against. */
export type PathContext = { readonly now: Date; readonly usage: PathUsage }

/**
 * Who is believed: a name and a key (RFC 5280 §6.1.1 (d)). It is no member of a path. If it was
 * configured as a certificate, what that says of itself limits the paths that end there.
 */
export type PathAnchor = {
  /** DER of the Name. */
  readonly name: Uint8Array
  /** DER of the SubjectPublicKeyInfo. */
  readonly key: Uint8Array
  readonly certificate?: Certificate | undefined
}

/**
 * Extensions that are processed wherever they stand: basicConstraints, keyUsage, extKeyUsage,
 * nameConstraints, certificatePolicies, policyMappings, policyConstraints and inhibitAnyPolicy.
 */
const PROCESSED_EXTENSIONS: readonly string[] = [
  '2.5.29.19',
  '2.5.29.15',
  '2.5.29.37',
  '2.5.29.30',
  '2.5.29.32',
  '2.5.29.33',
  '2.5.29.36',
  '2.5.29.54',
]

const ANY_PURPOSE = '2.5.29.37.0'

/** RFC 5280 §6.1: whose subject is its issuer, as in the rollover of a key. */
export function isSelfIssued(certificate: Certificate): boolean {
  return isSameName(certificate.subject, certificate.issuer)
}

/** What holds for every certificate of a path. §6.1.3 (a)(2), §6.1.4 (o), §6.1.5 (f) */
export function checkCertificate(
  certificate: Certificate,
  depth: number,
  { now, usage }: PathContext,
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
  { extensions }: Certificate,
  depth: number,
  usage: PathUsage,
): CertificateFailure | undefined {
  for (const [oid, { critical }] of extensions) {
    const isKnown =
      PROCESSED_EXTENSIONS.includes(oid) || usage.allowedCriticalExtensions.includes(oid)
    if (critical && !isKnown) {
      return { reason: 'certificate_critical_extension', detail: oid, depth }
    }
  }
  return undefined
}

/** What the certificate at the end of a path must be. */
export function checkLeaf(leaf: Certificate, usage: PathUsage): CertificateFailure | undefined {
  if (usage.isEndEntity === true && leaf.basicConstraints?.ca === true) {
    return { reason: 'certificate_is_ca', detail: 'basicConstraints', depth: 0 }
  }
  if (leaf.keyUsage !== undefined && !usage.keyUsage.some((use) => leaf.keyUsage?.has(use))) {
    return { reason: 'certificate_key_usage', detail: usage.keyUsage.join(' or '), depth: 0 }
  }
  const { extendedKeyUsage: wanted, isPurposeOptional } = usage
  if (wanted === undefined) return undefined
  const named = leaf.extendedKeyUsage
  if (named === undefined && isPurposeOptional === true) return undefined
  if (wanted.some((oid) => named?.includes(oid))) return undefined
  return { reason: 'certificate_extended_key_usage', detail: wanted.join(' or '), depth: 0 }
}

/** For `issuer` of the last certificate of `path`. RFC 5280 §6.1.4 (k) to (n), §4.2.1.12 */
export function checkIssuer(
  issuer: Certificate,
  path: readonly Certificate[],
  usage: PathUsage,
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
  const { extendedKeyUsage: wanted } = usage
  const given = issuer.extendedKeyUsage
  const isGiven = (oid: string) => given?.includes(oid) || given?.includes(ANY_PURPOSE)
  if (wanted === undefined || given === undefined || wanted.some(isGiven)) return undefined
  return { reason: 'certificate_extended_key_usage', detail: wanted.join(' or '), depth }
}

export function checkDepth(depth: number): CertificateFailure | undefined {
  if (depth < MAX_PATH_CERTIFICATES) return undefined
  return { reason: 'certificate_path_too_long', detail: `${MAX_PATH_CERTIFICATES}`, depth }
}

/**
 * What an anchor's certificate says of itself against `path`. One of version 1 or 2 can say nothing:
 * that it was configured makes it an authority (RFC 5280 §6.1.4 (k)). One of version 3 says whether
 * it is one, and is taken at its word.
 */
export function checkAnchor(
  { certificate }: PathAnchor,
  path: readonly Certificate[],
  context: PathContext,
): CertificateFailure | undefined {
  if (certificate === undefined) return undefined
  return (
    checkCertificate(certificate, path.length, context) ??
    (certificate.version < 3 ? undefined : checkIssuer(certificate, path, context.usage))
  )
}

/** Why no path of this usage can end at a certificate, whenever that is; else `undefined`. */
export function findUnfitAnchor(
  certificate: Certificate,
  usage: PathUsage,
): CertificateFailure | undefined {
  const unfit =
    checkExtensions(certificate, 0, usage) ??
    (certificate.version < 3 ? undefined : checkIssuer(certificate, [], usage))
  if (unfit !== undefined) return unfit
  const key = readSubjectPublicKey(certificate.spki)
  return key.ok ? undefined : key.failure
}
