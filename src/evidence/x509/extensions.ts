import {
  DER,
  DerFields,
  decodeDer,
  MalformedDer,
  readBoolean,
  readList,
  readOid,
  readSmall,
} from './der.ts'

export type Extension = {
  readonly critical: boolean
  /** The content of `extnValue`: DER of the extension's own type. */
  readonly value: Uint8Array
}

export type BasicConstraints = {
  readonly ca: boolean
  /** How many further CA certificates may follow in a path; `undefined` is no limit. */
  readonly pathLength: number | undefined
}

/** RFC 5280 §4.2.1.3, in the order of the bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

export type KeyUsage = (typeof KEY_USAGES)[number]

/** RFC 5280 §4.2.1.9. The readers here throw `MalformedDer` and pass an absent extension through. */
export function readBasicConstraints(value: Uint8Array | undefined): BasicConstraints | undefined {
  if (value === undefined) return undefined
  const fields = new DerFields(decodeDer(value, 'basicConstraints'), 'basicConstraints')
  const ca = fields.optional(DER.boolean)
  const length = fields.optional(DER.integer)
  fields.end('basicConstraints')
  return {
    ca: ca !== undefined && readBoolean(ca, 'basicConstraints'),
    pathLength: length && readSmall(length, 'pathLen'),
  }
}

/** RFC 5280 §4.2.1.3 */
export function readKeyUsage(value: Uint8Array | undefined): ReadonlySet<KeyUsage> | undefined {
  if (value === undefined) return undefined
  const node = decodeDer(value, 'keyUsage')
  const [unused, ...octets] = node.content
  if (node.tag !== DER.bitString || unused === undefined || unused > 7) {
    throw new MalformedDer('keyUsage')
  }
  if (octets.length > 2 || (octets.length === 0 && unused > 0)) throw new MalformedDer('keyUsage')
  const bit = (at: number) => (((octets[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1
  return new Set(KEY_USAGES.filter((_, at) => bit(at)))
}

/** RFC 5280 §4.2.1.12 */
export function readExtendedKeyUsage(value: Uint8Array | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  return readList(value, 'extKeyUsage').map((child) => readOid(child, 'extKeyUsage'))
}

/** RFC 5280 §4.2.1.2 */
export function readSubjectKeyIdentifier(value: Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  const node = decodeDer(value, 'subjectKeyIdentifier')
  if (node.tag !== DER.octetString) throw new MalformedDer('subjectKeyIdentifier')
  return node.content
}

/** The keyIdentifier alone; issuer and serial name a certificate that nobody looks up. §4.2.1.1 */
export function readAuthorityKeyIdentifier(value: Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  const field = 'authorityKeyIdentifier'
  const fields = new DerFields(decodeDer(value, field), field)
  const keyIdentifier = fields.optional(0x80)
  fields.optional(0xa1)
  fields.optional(0x82)
  fields.end(field)
  return keyIdentifier?.content
}
