import { digest, equalBytes } from '../../base/digest.ts'
import { toHex } from '../../base/encoding.ts'
import type { Certificate } from './certificate.ts'
import { describeName } from './describe-name.ts'
import type { CertificateFailure, MissingIssuer, PathFailure } from './failure.ts'
import { MAX_PATH_STEPS, MAX_SIGNATURE_CHECKS } from './limits.ts'
import { isSameName, nameKey } from './name.ts'
import { type PolicySettings, processPath } from './path-processing.ts'
import {
  checkAnchor,
  checkCertificate,
  checkDepth,
  checkIssuer,
  isSelfIssued,
  type PathAnchor,
  type PathContext,
} from './path-rules.ts'
import { readSubjectPublicKey } from './public-key.ts'
import { checkCertificateSignature, type SignatureCheck } from './signature.ts'

type Path = readonly Certificate[]
type FoundPath = { readonly certificates: Path; readonly anchor: PathAnchor }

export type SearchInput = PathContext & {
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly PathAnchor[]
  readonly policies?: PolicySettings
}

/**
 * Looks for a valid path, depth first, over the certificates whose subject is the issuer looked for:
 * anchors first, then those that have the key identifier wanted.
 */
export class PathSearch {
  readonly #input: SearchInput
  readonly #signatures = new Map<Certificate, Map<Uint8Array, SignatureCheck>>()
  readonly #missing = new Map<Certificate, MissingIssuer>()
  #signatureChecks = 0
  #steps = 0
  #limit: string | undefined
  #failure: CertificateFailure | undefined
  #furthest = 0

  constructor(input: SearchInput) {
    this.#input = input
  }

  /** Of a search that found nothing. */
  get failure(): PathFailure {
    const limit = this.#limit
    const failure: CertificateFailure | undefined =
      limit === undefined
        ? this.#failure
        : { reason: 'certificate_path_too_complex', detail: limit }
    if (failure === undefined) throw new TypeError('the search has not failed')
    return { ...failure, missingIssuers: [...this.#missing.values()] }
  }

  /** `path` from the leaf to a certificate that is not yet known to be issued by anybody. */
  async extend(path: Path): Promise<FoundPath | undefined> {
    const last = path.at(-1)
    if (last === undefined) throw new TypeError('a path begins with a leaf')
    let isIssued = false
    for (const anchor of this.#input.anchors) {
      if (!isSameName(anchor.name, last.issuer)) continue
      const failure = await this.#tryAnchor(path, last, anchor)
      if (failure === undefined) return { certificates: path, anchor }
      isIssued ||= this.#isSignedBy(last, anchor.key)
    }
    for (const issuer of this.#intermediatesFor(path, last)) {
      const failure = await this.#tryIssuer(path, last, issuer)
      isIssued ||= this.#isSignedBy(last, issuer.spki)
      const found = failure === undefined ? await this.extend([...path, issuer]) : undefined
      if (found !== undefined) return found
    }
    if (!isIssued) this.#noteMissing(last, path.length - 1)
    return undefined
  }

  #intermediatesFor(path: Path, last: Certificate): readonly Certificate[] {
    return this.#input.intermediates
      .filter(({ subject }) => isSameName(subject, last.issuer))
      .filter((candidate) => !path.some((one) => isSameEntity(one, candidate)))
      .map((candidate) => ({ candidate, rank: rankOf(candidate, last) }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ candidate }) => candidate)
  }

  async #tryAnchor(path: Path, last: Certificate, anchor: PathAnchor) {
    const failure =
      this.#takeStep() ??
      checkDepth(path.length) ??
      checkAnchor(anchor, path, this.#input) ??
      (await this.#checkSignature(last, anchor.key, path.length)) ??
      processPath(path, anchor.certificate?.nameConstraints, this.#input.policies ?? {})
    return this.#note(failure, path.length)
  }

  async #tryIssuer(path: Path, last: Certificate, issuer: Certificate) {
    const depth = path.length
    const failure =
      this.#takeStep() ??
      checkDepth(depth) ??
      checkCertificate(issuer, depth, this.#input) ??
      checkIssuer(issuer, path, this.#input.usage) ??
      (await this.#checkSignature(last, issuer.spki, depth))
    return this.#note(failure, depth)
  }

  /** Bounds what is tried, and with it the paths that are processed whole. */
  #takeStep(): CertificateFailure | undefined {
    this.#steps += 1
    return this.#steps > MAX_PATH_STEPS ? this.#exceed('steps') : undefined
  }

  #exceed(limit: string): CertificateFailure {
    this.#limit = limit
    return { reason: 'certificate_path_too_complex', detail: limit }
  }

  #note(failure: CertificateFailure | undefined, depth: number): CertificateFailure | undefined {
    if (failure !== undefined && depth > this.#furthest) {
      this.#furthest = depth
      this.#failure = failure
    }
    return failure
  }

  /** No supplied certificate issued this one, so that the search ends here. */
  #noteMissing(certificate: Certificate, depth: number): void {
    const [detail, expected] = ['issuer', describeIssuerOf(certificate)]
    if (isSelfIssued(certificate)) {
      this.#note({ reason: 'certificate_anchor_unknown', detail, depth, expected }, depth + 1)
      return
    }
    this.#note({ reason: 'certificate_issuer_unknown', detail, depth, expected }, depth + 1)
    const { issuer, authorityKeyIdentifier, issuerUrls } = certificate
    this.#missing.set(certificate, {
      depth,
      issuer: nameKey(issuer),
      keyIdentifier: authorityKeyIdentifier && toHex(authorityKeyIdentifier),
      urls: issuerUrls,
    })
  }

  #isSignedBy(certificate: Certificate, key: Uint8Array): boolean {
    return this.#signatures.get(certificate)?.get(key) === 'valid'
  }

  async #checkSignature(
    certificate: Certificate,
    issuerKey: Uint8Array,
    depth: number,
  ): Promise<CertificateFailure | undefined> {
    const known = this.#signatures.get(certificate) ?? new Map<Uint8Array, SignatureCheck>()
    this.#signatures.set(certificate, known)
    let check = known.get(issuerKey)
    if (check === undefined) {
      if (this.#signatureChecks >= MAX_SIGNATURE_CHECKS) return this.#exceed('signatures')
      const key = readSubjectPublicKey(issuerKey)
      if (!key.ok) return { ...key.failure, depth }
      this.#signatureChecks += 1
      check = await checkCertificateSignature(certificate, key.value)
      known.set(issuerKey, check)
    }
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

const MOST_NAME_CHARS = 200

/** Who would have to be known, for people. The name is whatever somebody wrote there. */
function describeIssuerOf(certificate: Certificate): string {
  const { issuer, authorityKeyIdentifier } = certificate
  const name = describeName(issuer).slice(0, MOST_NAME_CHARS)
  if (isSelfIssued(certificate)) {
    return `a trust anchor: the root ${name} with the SHA-256 ${digestHex(certificate)} is none`
  }
  const key = authorityKeyIdentifier && ` with the key identifier ${toHex(authorityKeyIdentifier)}`
  return `the certificate of ${name}${key ?? ''}`
}

function digestHex({ der }: Certificate): string {
  return toHex(digest('sha256', der))
}

/** Key identifiers only say whom to try first: the signature decides. */
function rankOf(candidate: Certificate, { authorityKeyIdentifier }: Certificate): number {
  const own = candidate.subjectKeyIdentifier
  if (own === undefined || authorityKeyIdentifier === undefined) return 1
  return equalBytes(own, authorityKeyIdentifier) ? 0 : 2
}

function isSameEntity(a: Certificate, b: Certificate): boolean {
  return isSameName(a.subject, b.subject) && equalBytes(a.spki, b.spki)
}
