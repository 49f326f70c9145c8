import { err, ok, type Result } from '../../base/result.ts'
import { type Certificate, parseCertificate, parsePemBundle } from './certificate.ts'
import { DER, DerFields, type DerNode, decodeDer, MalformedDer, readOid } from './der.ts'
import type { CertificateFailure } from './failure.ts'
import { MAX_BUNDLE_CERTIFICATES, MAX_BUNDLE_CHARS } from './limits.ts'
import { readPemBlocks } from './pem.ts'

/** id-signedData. RFC 5652 §5.1 */
const SIGNED_DATA = '1.2.840.113549.1.7.2'
/** `[0]`, constructed: what is explicit in ContentInfo and implicit in SignedData. */
const CONTEXT_0 = 0xa0
const SET = 0x31

/** What PEM calls a certs-only message. RFC 7468 §8, §9 */
const MESSAGE_LABELS: readonly string[] = ['PKCS7', 'CMS']

/**
 * The certificates of a file, or of what an authority serves under the `caIssuers` of a certificate:
 * one certificate in DER or a certs-only CMS message (RFC 5280 §4.2.2.1), or either of them in PEM,
 * as authorities really do. Unverified, all of them: signatures of a message are not looked at, and
 * vouch for nothing.
 */
export function readCertificateFile(
  bytes: Uint8Array,
): Result<readonly Certificate[], CertificateFailure> {
  if (bytes.length > MAX_BUNDLE_CHARS) {
    return err({ reason: 'certificate_bundle_too_large', detail: `${bytes.length} bytes` })
  }
  if (bytes[0] === DER.sequence) return readBinary(bytes)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const [block, ...more] = readPemBlocks(text) ?? []
  if (block === undefined || !MESSAGE_LABELS.includes(block.label)) return parsePemBundle(text)
  if (more.length > 0) {
    return err({ reason: 'certificate_bundle_malformed', detail: 'more than one message' })
  }
  return readMessage(block.bytes)
}

/** Both begin with a SEQUENCE; of a message the first member is an object identifier. */
function readBinary(bytes: Uint8Array): Result<readonly Certificate[], CertificateFailure> {
  const message = readMessage(bytes)
  if (message.ok || message.failure.reason !== 'certificate_bundle_malformed') return message
  const certificate = parseCertificate(bytes)
  return certificate.ok ? ok([certificate.value]) : certificate
}

function readMessage(bytes: Uint8Array): Result<readonly Certificate[], CertificateFailure> {
  let members: readonly DerNode[]
  try {
    members = membersOf(bytes)
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return err({ reason: 'certificate_bundle_malformed', detail: error.field })
  }
  if (members.length > MAX_BUNDLE_CERTIFICATES) {
    return err({ reason: 'certificate_bundle_too_large', detail: `${members.length} certificates` })
  }
  const certificates: Certificate[] = []
  for (const { raw } of members) {
    const certificate = parseCertificate(raw)
    if (!certificate.ok) return certificate
    certificates.push(certificate.value)
  }
  return ok(certificates)
}

/** RFC 5652 §3 and §5.1: `certificates` of a SignedData, of which every member is a certificate. */
function membersOf(bytes: Uint8Array): readonly DerNode[] {
  const info = new DerFields(decodeDer(bytes, 'ContentInfo'), 'ContentInfo')
  const type = readOid(info.next(DER.objectIdentifier, 'contentType'), 'contentType')
  const [content, ...others] = info.next(CONTEXT_0, 'content').children
  info.end('ContentInfo')
  if (type !== SIGNED_DATA || content === undefined || others.length > 0) {
    throw new MalformedDer('ContentInfo')
  }
  const data = new DerFields(content, 'SignedData')
  data.next(DER.integer, 'version')
  data.next(SET, 'digestAlgorithms')
  data.next(DER.sequence, 'encapContentInfo')
  const { children } = data.next(CONTEXT_0, 'certificates')
  if (children.length === 0) throw new MalformedDer('certificates')
  if (children.some(({ tag }) => tag !== DER.sequence)) throw new MalformedDer('certificates')
  return children
}
