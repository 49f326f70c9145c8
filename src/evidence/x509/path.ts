import { err, ok, type Result } from '../../base/result.ts'
import type { Certificate } from './certificate.ts'
import type { PathFailure } from './failure.ts'
import { MAX_INTERMEDIATES } from './limits.ts'
import type { PolicySettings } from './path-processing.ts'
import { checkCertificate, checkLeaf, type PathAnchor, type PathUsage } from './path-rules.ts'
import { PathSearch } from './path-search.ts'

export { findUnfitAnchor } from './path-rules.ts'
export type { PathAnchor, PathUsage, PolicySettings }

export type PathInput = {
  readonly leaf: Certificate
  /** In any order; what a peer sent is as good as what we keep, since neither is trusted. */
  readonly intermediates: readonly Certificate[]
  /** Trusted by configuration, as name and key or as a certificate of any version. */
  readonly anchors: readonly (Certificate | PathAnchor)[]
  readonly now: Date
  readonly usage: PathUsage
  readonly policies?: PolicySettings
}

declare const verified: unique symbol

/** A path whose every rule of RFC 5280 §6.1 was checked. Only `verifyPath` makes one. */
export type VerifiedPath = {
  /** From the leaf to the certificate that the anchor issued. */
  readonly certificates: readonly Certificate[]
  readonly leaf: Certificate
  readonly anchor: PathAnchor
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

/** tcg-kp-AIKCertificate. TCG Credential Profile for EK §3.2.16 */
export const AIK_PURPOSE = '2.23.133.8.3'

/**
 * Which certificate makes a key an AIK: one that says so, or any other of the same authority would
 * make one of a key in software; issued by authorities that may say so; and never an authority's.
 */
export const AIK_CERTIFICATE_USAGE: PathUsage = {
  ...ATTESTATION_KEY_USAGE,
  extendedKeyUsage: [AIK_PURPOSE],
  isEndEntity: true,
}

/**
 * Builds and validates a path from `leaf` to one of `anchors`. RFC 5280 §6.1.
 *
 * Every certificate must be valid at `now`, an anchor's own included; every issuer must be a CA with
 * room in its path length, allowed to sign certificates and to issue for the purpose wanted; names
 * must lie within the constraints above them; where a policy is demanded, one must be valid; unknown
 * critical extensions are refused. Nothing is fetched, revocation is not looked up. The work is
 * bounded whatever certificates are supplied.
 *
 * The input certificates are unverified; a failure tells of the path that came furthest, and which
 * issuers nobody supplied.
 */
export async function verifyPath(input: PathInput): Promise<Result<VerifiedPath, PathFailure>> {
  if (Number.isNaN(input.now.getTime())) throw new TypeError('now is not a time')
  if (input.intermediates.length > MAX_INTERMEDIATES) {
    const failure = { reason: 'certificate_path_too_complex', detail: 'intermediates' } as const
    return err({ ...failure, missingIssuers: [] })
  }
  const { leaf, usage } = input
  const unfit = checkCertificate(leaf, 0, input) ?? checkLeaf(leaf, usage)
  if (unfit !== undefined) return err({ ...unfit, missingIssuers: [] })
  const search = new PathSearch({ ...input, anchors: input.anchors.map(toAnchor) })
  const found = await search.extend([leaf])
  if (found === undefined) return err(search.failure)
  return ok({ ...found, leaf } as unknown as VerifiedPath)
}

function toAnchor(anchor: Certificate | PathAnchor): PathAnchor {
  if (!('der' in anchor)) return anchor
  return { name: anchor.subject, key: anchor.spki, certificate: anchor }
}
