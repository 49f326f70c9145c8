import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { digest, equalBytes } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { type ByteReader, parse } from '../../evidence/bytes.ts'
import { MAX_TICKET_CHARS, SECRET_BYTES, TICKET_ID_BYTES } from './limits.ts'

export const TICKET_REASONS = ['ticket_foreign', 'ticket_expired', 'secret_wrong'] as const

export type TicketFailure = {
  readonly reason: (typeof TICKET_REASONS)[number]
  /** Of a secret: its form, beside what agents often take for it. */
  readonly expected?: string
}

/** What an enrolment carries from its beginning to the activation. The agent cannot read it. */
export type EnrolmentTicket = {
  readonly id: Uint8Array
  /** Kept to the second. */
  readonly expiresAt: Date
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array
  /** SHA-256 of the endorsement key's SubjectPublicKeyInfo, which names the TPM. */
  readonly ekHash: Uint8Array
  /** SHA-256 of the EK certificate, by which others name the TPM. */
  readonly ekCertificateHash: Uint8Array
  /** SHA-256 of the anchor that its path ended at. */
  readonly anchor: Uint8Array
  /** When the EK certificate expires. */
  readonly ekNotAfter: Date
  /** SubjectPublicKeyInfo of the attestation key. */
  readonly akSpki: Uint8Array
}

const CIPHER = 'aes-256-gcm'
const PURPOSE = toUtf8('countersign enrolment ticket\0')
const VERSION = 1
export const TICKET_IV_BYTES = 12
const TAG_BYTES = 16
const HASH_BYTES = 32
const MAX_AK_SPKI_BYTES = 1_024

/**
 * Seals a ticket so that nothing need be remembered, and nobody else makes one: base64url of version,
 * IV, AES-256-GCM ciphertext and tag. `iv` must be fresh randomness, `key` 32 bytes for this alone.
 */
export function sealTicket(input: {
  readonly ticket: EnrolmentTicket
  readonly key: Uint8Array
  readonly iv: Uint8Array
}): string {
  const { ticket, key, iv } = input
  const hashes = [ticket.secretHash, ticket.ekHash, ticket.ekCertificateHash, ticket.anchor]
  const sizes = [
    [ticket.id, TICKET_ID_BYTES],
    [iv, TICKET_IV_BYTES],
    ...hashes.map((hash) => [hash, HASH_BYTES] as const),
  ] as const
  if (sizes.some(([bytes, size]) => bytes.length !== size)) throw new TypeError('a wrong length')
  const times = Buffer.alloc(12)
  times.writeUInt32BE(Math.floor(ticket.expiresAt.getTime() / 1000))
  times.writeBigInt64BE(BigInt(ticket.ekNotAfter.getTime()), 4)
  const plain = Buffer.concat([ticket.id, times, ...hashes, ticket.akSpki])
  const head = Uint8Array.of(VERSION)
  const cipher = createCipheriv(CIPHER, createSecretKey(key), iv).setAAD(PURPOSE)
  const sealed = [cipher.update(plain), cipher.final()]
  return toBase64Url(Buffer.concat([head, iv, ...sealed, cipher.getAuthTag()]))
}

/** Opens a ticket that came back, with what the agent says its TPM found in the credential. */
export function openTicket(input: {
  readonly text: string
  readonly secret: Uint8Array
  /** Every key that may still have sealed a living ticket. */
  readonly keys: readonly Uint8Array[]
  readonly now: Date
}): Result<EnrolmentTicket, TicketFailure> {
  const plain = input.keys
    .map((key) => decrypt(input.text, key))
    .find((bytes) => bytes !== undefined)
  const ticket = plain && readTicket(plain)
  if (ticket === undefined) return err({ reason: 'ticket_foreign' })
  if (!(input.now < ticket.expiresAt)) return err({ reason: 'ticket_expired' })
  // Digests are compared, so that the time it takes says nothing about the secret either way.
  const found = digest('sha256', input.secret)
  if (equalBytes(found, ticket.secretHash)) return ok(ticket)
  return err({ reason: 'secret_wrong', expected: describeSecretForm(input.secret) })
}

/** By the form alone, which anybody knows: nothing is said of the secret of the ticket. */
function describeSecretForm(secret: Uint8Array): string {
  const form = `the ${SECRET_BYTES} bytes that the TPM gave for the credential of this ticket`
  if (secret.length === SECRET_BYTES) return form
  const isSized = secret[0] === 0 && secret[1] === SECRET_BYTES
  if (isSized && secret.length === SECRET_BYTES + 2) return `${form}, without their size (00 20)`
  if (/^(?:0020)?[0-9a-f]{64}$/i.test(toBase64Url(secret))) {
    return `${form}, in base64url: this is hexadecimal`
  }
  return `${form}: these are ${secret.length}`
}

function decrypt(text: string, key: Uint8Array): Uint8Array | undefined {
  const sealed = text.length > MAX_TICKET_CHARS ? undefined : fromBase64Url(text)
  const start = 1 + TICKET_IV_BYTES
  if (sealed === undefined || sealed[0] !== VERSION || sealed.length < start + TAG_BYTES) {
    return undefined
  }
  const decipher = createDecipheriv(CIPHER, createSecretKey(key), sealed.subarray(1, start))
  decipher.setAAD(PURPOSE).setAuthTag(sealed.subarray(-TAG_BYTES))
  const plain = decipher.update(sealed.subarray(start, -TAG_BYTES))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return undefined
  }
}

/** Of what was authenticated: we wrote it, unless another version of us did. */
function readTicket(plain: Uint8Array): EnrolmentTicket | undefined {
  const read = (reader: ByteReader): EnrolmentTicket => {
    const hash = (field: string) => reader.bytes(HASH_BYTES, field)
    return {
      id: reader.bytes(TICKET_ID_BYTES, 'id'),
      expiresAt: new Date(reader.u32be('expiresAt') * 1000),
      ekNotAfter: new Date(Number(BigInt.asIntN(64, reader.u64be('ekNotAfter')))),
      secretHash: hash('secretHash'),
      ekHash: hash('ekHash'),
      ekCertificateHash: hash('ekCertificateHash'),
      anchor: hash('anchor'),
      akSpki: reader.rest(),
    }
  }
  const maxBytes = TICKET_ID_BYTES + 12 + 4 * HASH_BYTES + MAX_AK_SPKI_BYTES
  const ticket = parse('EnrolmentTicket', plain, maxBytes, read)
  return ticket.ok ? ticket.value : undefined
}
