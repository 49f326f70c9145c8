import { digest } from '../../base/digest.ts'
import { fromBase64Url, toBase64 } from '../../base/encoding.ts'
import { inMember } from '../../base/located.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { EndorsementKey } from '../../evidence/tpm/endorsement-key.ts'
import {
  type Credential,
  type CredentialRandomness,
  makeCredential,
} from '../../evidence/tpm/make-credential.ts'
import { type Certificate, parseCertificate } from '../../evidence/x509/certificate.ts'
import type { PathFailure } from '../../evidence/x509/failure.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { verifyPath } from '../../evidence/x509/path.ts'
import {
  type AkPublicFailure,
  readAkPublic,
} from '../../verifier/enrolment/attestation-key-public.ts'
import {
  type EkCertificateFailure,
  ekUsageOf,
  type NamedEk,
  readEkCertificate,
} from '../../verifier/enrolment/ek-certificate.ts'
import {
  ENROLMENT_LIFETIME_MS,
  SECRET_BYTES,
  TICKET_ID_BYTES,
} from '../../verifier/enrolment/limits.ts'
import { sealTicket, TICKET_IV_BYTES } from '../../verifier/enrolment/ticket.ts'
import { findCertifiedPath, type IssuerFailure } from '../../verifier/steps/certified-path.ts'
import type { EnrolmentServices } from './enrolment-services.ts'

/** What an agent says of its TPM. Nothing of it is verified. */
export type EnrolmentRequest = {
  /** DER. */
  readonly ekCertificate: Uint8Array
  /** DER of certificates of authorities, in any order. */
  readonly chain: readonly Uint8Array[]
  /** TPMT_PUBLIC or TPM2B_PUBLIC, both. */
  readonly ekPublic: Uint8Array | undefined
  readonly akPublic: Uint8Array
}

export type BeginFailure = EkCertificateFailure | AkPublicFailure | PathFailure | IssuerFailure

/** What the TPM has to open, and what has to come back with what it finds in there. */
export type BegunEnrolment = Credential & {
  readonly ticket: string
  readonly expiresAt: Date
  /** Base64 of the SHA-256 of the attestation key: what a challenge is asked for with. */
  readonly deviceKey: string
}

/**
 * Begins an enrolment by credential activation (TPM 2.0 Part 1 §24): checks that an anchor vouches for
 * the endorsement key and that the attestation key is described as one, and seals a secret for the
 * TPM that has both. Nothing is written, and nothing is proven yet.
 */
export async function beginEnrolment(
  services: EnrolmentServices,
  request: EnrolmentRequest,
): Promise<Result<BegunEnrolment, BeginFailure>> {
  const now = services.clock()
  const ak = inMember('ak_public', await readAkPublic(request.akPublic))
  if (!ak.ok) return ak
  const ek = await readEkCertificate({
    certificate: request.ekCertificate,
    publicArea: request.ekPublic,
    accepted: services.ekKinds,
  })
  if (!ek.ok) {
    const isPublic = ek.failure.reason === 'ek_public_mismatch'
    return inMember(isPublic ? 'ek_public' : 'ek_certificate', ek)
  }
  const anchor = await findAnchor(services, { ek: ek.value, chain: request.chain, now })
  if (!anchor.ok) return inMember('ek_certificate', anchor)
  const secret = services.random(SECRET_BYTES)
  const expiresAt = new Date(now.getTime() + ENROLMENT_LIFETIME_MS)
  const { certificate, key, hash: ekHash } = ek.value
  const ticket = sealTicket({
    ticket: {
      id: services.random(TICKET_ID_BYTES),
      expiresAt,
      secretHash: digest('sha256', secret),
      ekHash,
      ekCertificateHash: digest('sha256', certificate.der),
      anchor: fromBase64Url(fingerprintOf(anchor.value)) ?? new Uint8Array(),
      ekNotAfter: certificate.notAfter,
      akSpki: ak.value.spki,
    },
    key: services.ticketKeys[0],
    iv: services.random(TICKET_IV_BYTES),
  })
  const randomness = await makeRandomness(key, services.random)
  const credential = await makeCredential({ key, name: ak.value.name, secret, randomness })
  return ok({ ...credential, ticket, expiresAt, deviceKey: toBase64(ak.value.hash) })
}

async function findAnchor(
  services: EnrolmentServices,
  { ek, chain, now }: { ek: NamedEk; chain: readonly Uint8Array[]; now: Date },
): Promise<Result<Certificate, BeginFailure>> {
  const sent: Certificate[] = []
  for (const [index, der] of chain.entries()) {
    const certificate = inMember(`chain[${index}]`, parseCertificate(der))
    if (!certificate.ok) return certificate
    sent.push(certificate.value)
  }
  const path = await findCertifiedPath({
    trust: { ...services.ekTrust, findIssuers: services.findIssuers() },
    sent,
    verify: (supplied) =>
      verifyPath({ leaf: ek.certificate, ...supplied, now, usage: ekUsageOf(ek) }),
  })
  // What came along is not kept, or what one agent sent would decide about another's request.
  return path.ok ? ok(path.value.anchor) : err(sayWhere(path.failure))
}

/** An authority that is missing has two places where it may stand. */
function sayWhere(failure: PathFailure | IssuerFailure): PathFailure | IssuerFailure {
  if (failure.reason !== 'certificate_issuer_unknown') return failure
  const { expected = 'every authority up to a trust anchor' } = failure
  return { ...failure, expected: `${expected}, in chain or in EK_TRUST_ANCHORS` }
}

async function makeRandomness(
  key: EndorsementKey,
  random: (length: number) => Uint8Array,
): Promise<CredentialRandomness> {
  if (key.jwk.kty === 'RSA') {
    const size = key.nameAlgorithm === 'sha256' ? 32 : 48
    return { kind: 'rsa', seed: random(size), oaepSeed: random(size) }
  }
  const algorithm = { name: 'ECDH', namedCurve: key.jwk.crv ?? '' }
  const ephemeral = await crypto.subtle.generateKey(algorithm, true, ['deriveBits'])
  return { kind: 'ecc', ephemeral }
}
