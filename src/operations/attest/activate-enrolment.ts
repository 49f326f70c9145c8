import { deviceIdOf } from '../../access/device-id.ts'
import { digest } from '../../base/digest.ts'
import { toBase64, toBase64Url } from '../../base/encoding.ts'
import { inMember } from '../../base/located.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { nameOfEkCertificateHash } from '../../evidence/x509/hardware-name.ts'
import { issueEnrolmentCertificate } from '../../keys/enrolment-certificate.ts'
import { encodeEnrolledNames } from '../../verifier/enrolment/certificate-names.ts'
import { ENROLMENT_CERTIFICATE_DAYS } from '../../verifier/enrolment/limits.ts'
import {
  type EnrolmentTicket,
  openTicket,
  type TicketFailure,
} from '../../verifier/enrolment/ticket.ts'
import type { EnrolmentServices } from './enrolment-services.ts'
import { type LinkFailure, linkTpm } from './link-tpm.ts'

export const ACTIVATION_REASONS = [
  'ticket_spent',
  'activation_rate_limited',
  'ek_anchor_withdrawn',
] as const

export type ActivationFailure =
  | TicketFailure
  | LinkFailure
  | {
      readonly reason: (typeof ACTIVATION_REASONS)[number]
      readonly retryAfterSeconds?: number
      readonly member?: string
      readonly expected?: string
    }

/** A key that is from now on certified by us for its TPM. */
export type Enrolled = {
  readonly deviceId: string
  /** Base64 of the SHA-256 of the attestation key. */
  readonly deviceKey: string
  /** DER: the `aik_cert` of the key's attestations. */
  readonly certificate: Uint8Array
  readonly expiresAt: Date
}

const DAY_MS = 86_400_000
const ANCHOR_IN_FORCE =
  'a ticket whose endorsement key an anchor of EK_TRUST_ANCHORS still vouches for'

/**
 * Ends an enrolment: whoever found the secret is the TPM that has both keys. The key is linked to the
 * TPM, with all that was known about either, and gets its certificate. A ticket counts once, and what
 * is written is one statement.
 */
export async function activateEnrolment(
  services: EnrolmentServices,
  answer: { readonly ticket: string; readonly secret: Uint8Array },
): Promise<Result<Enrolled, ActivationFailure>> {
  const now = services.clock()
  const keys = services.ticketKeys
  const opened = openTicket({ text: answer.ticket, secret: answer.secret, keys, now })
  if (!opened.ok) {
    return inMember(opened.failure.reason === 'secret_wrong' ? 'secret' : 'ticket', opened)
  }
  const ticket = opened.value
  const anchor = toBase64Url(ticket.anchor)
  if (!services.ekAnchors.has(anchor)) {
    return err({ reason: 'ek_anchor_withdrawn', member: 'ticket', expected: ANCHOR_IN_FORCE })
  }
  const wait = services.limiter.charge(deviceIdOf(ticket.ekHash), now)
  if (wait > 0) return err({ reason: 'activation_rate_limited', retryAfterSeconds: wait })
  const deviceKey = digest('sha256', ticket.akSpki)
  // Made before anything is written, so that whoever is written down also gets it.
  const { certificate, expiresAt } = await certify(services, ticket, now)
  const linked = await linkTpm(services, {
    identity: ticket.ekHash,
    keyKind: 'tpm',
    deviceKey,
    otherNames: [nameOfEkCertificateHash(ticket.ekCertificateHash).identity],
    ticket: { id: toBase64Url(ticket.id), expiresAt: ticket.expiresAt },
    detail: {
      cause: 'activation',
      anchor,
      certificate: toBase64Url(digest('sha256', certificate)),
    },
    now,
  })
  if (!linked.ok)
    return linked.failure.reason === 'ticket_spent' ? inMember('ticket', linked) : linked
  const { deviceId } = linked.value
  return ok({ deviceId, deviceKey: toBase64(deviceKey), certificate, expiresAt })
}

async function certify(
  services: EnrolmentServices,
  ticket: EnrolmentTicket,
  now: Date,
): Promise<{ readonly certificate: Uint8Array; readonly expiresAt: Date }> {
  const latest = now.getTime() + ENROLMENT_CERTIFICATE_DAYS * DAY_MS
  const seconds = Math.floor(Math.min(latest, ticket.ekNotAfter.getTime()) / 1000)
  const expiresAt = new Date(seconds * 1000)
  const certificate = await issueEnrolmentCertificate({
    authority: await services.enrolmentAuthority(),
    spki: ticket.akSpki,
    commonName: deviceIdOf(ticket.ekHash),
    uris: encodeEnrolledNames({ ekHash: ticket.ekHash, anchor: toBase64Url(ticket.anchor) }),
    serial: services.random(16),
    now,
    notAfter: expiresAt,
  })
  return { certificate, expiresAt }
}
