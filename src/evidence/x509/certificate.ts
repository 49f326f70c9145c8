import { equalBytes } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  DER,
  DerFields,
  type DerNode,
  decodeDer,
  MalformedDer,
  readBoolean,
  readOctetsOfBits,
  readOid,
} from './der.ts'
import {
  type BasicConstraints,
  type Extension,
  type KeyUsage,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSubjectKeyIdentifier,
} from './extensions.ts'
import type { CertificateFailure } from './failure.ts'
import { type GeneralName, readAlternativeNames, readIssuerUrls } from './general-name.ts'
import {
  MAX_BUNDLE_CERTIFICATES,
  MAX_BUNDLE_CHARS,
  MAX_CERTIFICATE_BYTES,
  MAX_EXTENSIONS,
} from './limits.ts'
import { readNameNode } from './name.ts'
import { type NameConstraints, readNameConstraints } from './name-constraints.ts'
import { readPemBlocks } from './pem.ts'
import { type PolicyExtensions, readPolicyExtensions } from './policies.ts'
import { readTime } from './time.ts'

export type { CertificateFailure }

/** An X.509 certificate as it says of itself: unverified, no signature has been checked. */
export type Certificate = {
  readonly der: Uint8Array
  /** The signed part, exactly as received. */
  readonly tbs: Uint8Array
  readonly version: number
  /** Big-endian two's complement, as received. */
  readonly serial: Uint8Array
  /** DER of the Names, as received: `isSameName` compares them. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** DER of the AlgorithmIdentifier, equal inside and outside of the signed part. */
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  /** By dotted object identifier. */
  readonly extensions: ReadonlyMap<string, Extension>
  readonly basicConstraints: BasicConstraints | undefined
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined
  /** Object identifiers of the purposes. */
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Key identifiers help to find an issuer among several of one name, and prove nothing. */
  readonly subjectKeyIdentifier: Uint8Array | undefined
  readonly authorityKeyIdentifier: Uint8Array | undefined
  /** Where the issuer's certificate is said to be: whatever somebody wrote there. */
  readonly issuerUrls: readonly string[]
  readonly alternativeNames: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  readonly policyExtensions: PolicyExtensions
}

/** Parses one DER certificate that fills `der`. RFC 5280 §4.1. The result is unverified. */
export function parseCertificate(
  der: Uint8Array,
  maxBytes: number = MAX_CERTIFICATE_BYTES,
): Result<Certificate, CertificateFailure> {
  if (der.length > maxBytes) {
    return err({ reason: 'certificate_too_large', detail: `${der.length} of ${maxBytes} bytes` })
  }
  try {
    return readCertificate(der)
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    const expected = describeCertificateForm(der)
    return err({ reason: 'certificate_malformed', detail: error.field, expected })
  }
}

/** What a certificate has to be written as, beside what these bytes are if they are often taken for it. */
function describeCertificateForm(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  if (text.startsWith('-----BEGIN')) return `${CERTIFICATE_FORM}: this is PEM`
  // 30 82, 30 83: how the DER of a certificate begins, in base64.
  if (/^MI[IM]/.test(text)) return `${CERTIFICATE_FORM}: this is base64 of it once more`
  const [tag, size, high = 0, low = 0] = bytes
  const length = 4 + high * 256 + low
  const isLonger = tag === DER.sequence && size === 0x82 && length < bytes.length
  if (!isLonger) return CERTIFICATE_FORM
  return `${CERTIFICATE_FORM}: its first ${length} bytes alone, without the ${bytes.length - length} behind it`
}

const CERTIFICATE_FORM = 'a certificate in DER (RFC 5280 §4.1)'

/**
 * Parses every certificate of a PEM text, in its order. Text between the blocks is comment; blocks
 * of another kind, damaged blocks and a text without any certificate are refused.
 */
export function parsePemBundle(text: string): Result<Certificate[], CertificateFailure> {
  if (text.length > MAX_BUNDLE_CHARS) {
    return err({ reason: 'certificate_bundle_too_large', detail: `${text.length} characters` })
  }
  const blocks = readPemBlocks(text)
  if (blocks === undefined || blocks.length === 0) {
    return err({ reason: 'certificate_bundle_malformed', detail: 'no PEM blocks, or damaged ones' })
  }
  if (blocks.length > MAX_BUNDLE_CERTIFICATES) {
    return err({ reason: 'certificate_bundle_too_large', detail: `${blocks.length} certificates` })
  }
  const certificates: Certificate[] = []
  for (const { label, bytes } of blocks) {
    if (label !== 'CERTIFICATE') {
      return err({ reason: 'certificate_bundle_malformed', detail: `block ${label}` })
    }
    const certificate = parseCertificate(bytes)
    if (!certificate.ok) return certificate
    certificates.push(certificate.value)
  }
  return ok(certificates)
}

function readCertificate(der: Uint8Array): Result<Certificate, CertificateFailure> {
  const root = decodeDer(der, 'Certificate')
  const fields = new DerFields(root, 'Certificate')
  const tbs = fields.next(DER.sequence, 'tbsCertificate')
  const outer = fields.next(DER.sequence, 'signatureAlgorithm')
  const signature = readOctetsOfBits(fields.next(DER.bitString, 'signatureValue'), 'signatureValue')
  fields.end('Certificate')
  const body = readTbs(tbs)
  if (!equalBytes(body.signatureAlgorithm, outer.raw)) {
    return err({ reason: 'certificate_algorithm_mismatch', detail: 'signatureAlgorithm' })
  }
  const extensions = readExtensions(body.extensions)
  if (!extensions.ok) return extensions
  const value = (oid: string) => extensions.value.get(oid)?.value
  return ok({
    ...body,
    der: root.raw,
    tbs: tbs.raw,
    signature,
    extensions: extensions.value,
    basicConstraints: readBasicConstraints(value('2.5.29.19')),
    keyUsage: readKeyUsage(value('2.5.29.15')),
    extendedKeyUsage: readExtendedKeyUsage(value('2.5.29.37')),
    subjectKeyIdentifier: readSubjectKeyIdentifier(value('2.5.29.14')),
    authorityKeyIdentifier: readAuthorityKeyIdentifier(value('2.5.29.35')),
    issuerUrls: readIssuerUrls(value('1.3.6.1.5.5.7.1.1')),
    alternativeNames: readAlternativeNames(value('2.5.29.17')),
    nameConstraints: readNameConstraints(value('2.5.29.30')),
    policyExtensions: readPolicyExtensions(value),
  })
}

const VERSION = 0xa0
const ISSUER_UNIQUE_ID = 0x81
const SUBJECT_UNIQUE_ID = 0x82
const EXTENSIONS = 0xa3

function readTbs(tbs: DerNode) {
  const fields = new DerFields(tbs, 'tbsCertificate')
  const version = readVersion(fields.optional(VERSION))
  const serial = fields.next(DER.integer, 'serialNumber').content
  if (serial.length === 0) throw new MalformedDer('serialNumber')
  const signatureAlgorithm = fields.next(DER.sequence, 'signature').raw
  const issuer = readRawName(fields, 'issuer')
  const validity = new DerFields(fields.next(DER.sequence, 'validity'), 'validity')
  const notBefore = readTime(validity.any('notBefore'), 'notBefore')
  const notAfter = readTime(validity.any('notAfter'), 'notAfter')
  validity.end('validity')
  const subject = readRawName(fields, 'subject')
  const spki = fields.next(DER.sequence, 'subjectPublicKeyInfo').raw
  const uniqueIds = [fields.optional(ISSUER_UNIQUE_ID), fields.optional(SUBJECT_UNIQUE_ID)]
  if (version < 2 && uniqueIds.some((id) => id !== undefined)) throw new MalformedDer('version')
  const extensions = fields.optional(EXTENSIONS)
  if (version !== 3 && extensions !== undefined) throw new MalformedDer('version')
  fields.end('tbsCertificate')
  return {
    version,
    serial,
    signatureAlgorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    spki,
    extensions,
  }
}

/** The DER of a Name that can be read, so that no rule about names meets one that can't. */
function readRawName(fields: DerFields, field: string): Uint8Array {
  const name = fields.next(DER.sequence, field)
  readNameNode(name)
  return name.raw
}

/** 1, 2 or 3; on the wire one less. */
function readVersion(node: DerNode | undefined): number {
  if (node === undefined) return 1
  const [inner, ...more] = node.children
  const [value] = inner?.content ?? []
  if (inner?.tag !== DER.integer || inner.content.length !== 1 || more.length > 0) {
    throw new MalformedDer('version')
  }
  if (value === undefined || value > 2) throw new MalformedDer('version')
  return value + 1
}

/** RFC 5280 §4.2: a certificate must not have two instances of one extension. */
function readExtensions(
  node: DerNode | undefined,
): Result<ReadonlyMap<string, Extension>, CertificateFailure> {
  const extensions = new Map<string, Extension>()
  if (node === undefined) return ok(extensions)
  const [list, ...more] = node.children
  if (list?.tag !== DER.sequence || more.length > 0) throw new MalformedDer('extensions')
  if (list.children.length === 0 || list.children.length > MAX_EXTENSIONS) {
    throw new MalformedDer('extensions: count')
  }
  for (const child of list.children) {
    const fields = new DerFields(child, 'extension')
    const oid = readOid(fields.next(DER.objectIdentifier, 'extnID'), 'extnID')
    const flag = fields.optional(DER.boolean)
    const critical = flag !== undefined && readBoolean(flag, 'critical')
    const value = fields.next(DER.octetString, 'extnValue').content
    fields.end('extension')
    if (extensions.has(oid)) return err({ reason: 'certificate_duplicate_extension', detail: oid })
    extensions.set(oid, { critical, value })
  }
  return ok(extensions)
}
