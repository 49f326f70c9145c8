import { equalBytes } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import type { MissingIssuer, PathFailure } from '../../evidence/x509/failure.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { MAX_INTERMEDIATES } from '../../evidence/x509/limits.ts'
import type { VerifiedPath } from '../../evidence/x509/path.ts'
import { MAX_ISSUER_ROUNDS, MAX_ISSUERS_ASKED } from '../limits.ts'

/** Why it cannot be said now whether a certificate is of a trusted authority. */
export const ISSUER_REASONS = ['certificate_issuer_unavailable'] as const

/** Never a verdict: the same request may succeed after `retryAfterSeconds`. */
export type IssuerFailure = {
  readonly reason: (typeof ISSUER_REASONS)[number]
  readonly retryAfterSeconds: number
}

/**
 * Certificates that may be those of a missing issuer, from wherever they can be had. None of them is
 * trusted for having been found. None: there is no such certificate, or nowhere to ask.
 */
export type FindIssuers = (
  missing: MissingIssuer,
) => Promise<Result<readonly Certificate[], IssuerFailure>>

/** Whom to believe about a kind of certificates, and how to reach those above one. */
export type PathTrust = {
  readonly anchors: readonly Certificate[]
  /**
   * Fingerprints of further anchors, whose certificates are not here: whoever brings one that has
   * such a fingerprint has brought the anchor.
   */
  readonly knownAnchors?: ReadonlySet<string>
  /** A request may carry a certificate alone, so those between it and an anchor are here. */
  readonly intermediates: readonly Certificate[]
  /** Asked for what is neither here nor came along; absent: nobody is. */
  readonly findIssuers?: FindIssuers
}

/** That a certificate was issued under an anchor, every rule checked. */
export type CertifiedPath = {
  readonly anchor: Certificate
  /** Of the path's issuers, those that the trust does not hold already. */
  readonly learnt: readonly Certificate[]
}

/** Whether anything is believed at all. */
export function hasAnchors({ anchors, knownAnchors }: PathTrust): boolean {
  return anchors.length > 0 || (knownAnchors?.size ?? 0) > 0
}

/**
 * Looks for a path to an anchor with what is at hand, and asks for the issuers that are missing until
 * it finds one or nothing more can be had. `verify` decides: all others only supply certificates.
 */
export async function findCertifiedPath(input: {
  readonly trust: PathTrust
  /** Certificates that came along with the one in question. Unverified. */
  readonly sent: readonly Certificate[]
  readonly verify: (supplied: {
    readonly anchors: readonly Certificate[]
    readonly intermediates: readonly Certificate[]
  }) => Promise<Result<VerifiedPath, PathFailure>>
}): Promise<Result<CertifiedPath, PathFailure | IssuerFailure>> {
  const { trust, verify } = input
  const isKnown = (one: Certificate) => trust.knownAnchors?.has(fingerprintOf(one)) === true
  let intermediates = bounded([...input.sent, ...trust.intermediates])
  for (let round = 0; ; round++) {
    const anchors = [...trust.anchors, ...intermediates.filter(isKnown)]
    const path = await verify({ anchors, intermediates })
    if (path.ok) return ok(describePath(path.value, trust))
    if (round === MAX_ISSUER_ROUNDS || !hasAnchors(trust)) return path
    const found = await askForIssuers(path.failure.missingIssuers, intermediates, trust)
    if (!found.ok) return found
    if (found.value.length === 0) return path
    intermediates = bounded([...found.value, ...intermediates])
  }
}

/** A configuration may hold as many as a path is looked for among. */
function bounded(certificates: readonly Certificate[]): readonly Certificate[] {
  return certificates.slice(0, MAX_INTERMEDIATES)
}

function describePath(path: VerifiedPath, trust: PathTrust): CertifiedPath {
  const anchor = path.anchor.certificate
  if (anchor === undefined) throw new TypeError('the anchors here are certificates')
  const held = new Set([...trust.anchors, ...trust.intermediates])
  const [, ...issuers] = [...path.certificates, anchor]
  return { anchor, learnt: issuers.filter((one) => !held.has(one)) }
}

/**
 * The first new certificates for one of the issuers, those farthest from the leaf first. Where nobody
 * has any, an issuer that could not be asked for leaves the question open.
 */
async function askForIssuers(
  missing: readonly MissingIssuer[],
  present: readonly Certificate[],
  { findIssuers }: PathTrust,
): Promise<Result<readonly Certificate[], IssuerFailure>> {
  if (findIssuers === undefined) return ok([])
  let unavailable: IssuerFailure | undefined
  const ordered = missing.toSorted((a, b) => b.depth - a.depth)
  for (const issuer of ordered.slice(0, MAX_ISSUERS_ASKED)) {
    const found = await findIssuers(issuer)
    if (!found.ok) {
      unavailable ??= found.failure
      continue
    }
    const isNew = ({ der }: Certificate) => !present.some((one) => equalBytes(one.der, der))
    const fresh = found.value.filter(isNew)
    if (fresh.length > 0) return ok(fresh)
  }
  return unavailable === undefined ? ok([]) : err(unavailable)
}
