import { fromBase64Url, toBase64Url } from '../../base/encoding.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'

/** What our own certificate of an enrolled key says, beside the key. */
export type EnrolledNames = {
  /** SHA-256 of the endorsement key's SubjectPublicKeyInfo: what names the TPM. */
  readonly ekHash: Uint8Array
  /** Fingerprint of the anchor that vouched for the endorsement key. */
  readonly anchor: string
}

const EK = 'urn:countersign:tpm:ek:'
const ANCHOR = 'urn:countersign:anchor:'
const HASH_BYTES = 32

/** As URIs, for the subjectAltName. */
export function encodeEnrolledNames({ ekHash, anchor }: EnrolledNames): readonly string[] {
  return [EK + toBase64Url(ekHash), ANCHOR + anchor]
}

/** Whether a certificate says that some service gave it to a key that was enrolled. Unverified. */
export function namesEnrolledKey(certificate: Certificate | undefined): boolean {
  return certificate !== undefined && readEnrolledNames(certificate) !== undefined
}

/** Of a certificate that we signed; `undefined` where it is of another version. */
export function readEnrolledNames({ alternativeNames }: Certificate): EnrolledNames | undefined {
  const texts = alternativeNames.map((name) => ('text' in name ? name.text : ''))
  const after = (prefix: string) =>
    texts.find((text) => text.startsWith(prefix))?.slice(prefix.length)
  const ekHash = fromBase64Url(after(EK) ?? '')
  const anchor = after(ANCHOR)
  return ekHash?.length === HASH_BYTES && anchor !== undefined ? { ekHash, anchor } : undefined
}
