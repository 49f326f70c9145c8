import { digest } from '../../base/digest.ts'
import { fromHex, fromUtf8, toUtf8 } from '../../base/encoding.ts'
import type { Certificate } from './certificate.ts'
import { DER, DerFields, type DerNode, MalformedDer, readList, readOid } from './der.ts'
import { readNameNode } from './name.ts'

/** What a certificate calls the hardware that holds its key. */
export type HardwareName = {
  readonly kind: (typeof KINDS)[number]
  /** 32 bytes that no other name has: a digest of the kind and of all that makes the name unique. */
  readonly identity: Uint8Array
}

/** The ones that say most of a TPM first. */
const KINDS = ['ek-certificate', 'hardware-module', 'permanent-identifier'] as const

const SUBJECT_ALT_NAME = '2.5.29.17'
const OTHER_NAME = 0xa0
const DIRECTORY_NAME = 0xa4
const EXPLICIT_0 = 0xa0
const UTF8_STRING = 0x0c
/** id-on-permanentIdentifier, RFC 4043 §2 */
const PERMANENT_IDENTIFIER = '1.3.6.1.5.5.7.8.3'
/** id-on-hardwareModuleName, RFC 4108 §5 */
const HARDWARE_MODULE_NAME = '1.3.6.1.5.5.7.8.4'
/** tcg-on-ekPermIdSha256: the hexadecimal SHA-256 of the EK certificate. TCG TPM 2.0 Keys for Device Identity and Attestation §8 */
const EK_CERTIFICATE_DIGEST = '2.23.133.12.1'
/** tcg-at-tpmManufacturer, tcg-at-tpmModel, tcg-at-tpmVersion. TCG EK Credential Profile §3.1.2 */
const TPM_ATTRIBUTES: readonly string[] = ['2.23.133.2.1', '2.23.133.2.2', '2.23.133.2.3']

/**
 * The name of the one piece of hardware that a certificate is about, if it names one; of several, the
 * one that says most. As true as the certificate: its authority has to make sure that nobody chooses
 * his own. What cannot be read names nothing.
 */
export function hardwareNameOf(certificate: Certificate): HardwareName | undefined {
  const names = alternativeNames(certificate)
    .filter(({ tag }) => tag === OTHER_NAME)
    .flatMap((node) => readOtherName(node, certificate))
  return KINDS.flatMap((kind) => names.filter((name) => name.kind === kind))[0]
}

/** What `hardwareNameOf` says of a certificate that names its TPM by the SHA-256 of its EK certificate. */
export function nameOfEkCertificateHash(hash: Uint8Array): HardwareName {
  return nameOf('ek-certificate', hash)
}

/** Whether a certificate says of which TPM model its key is, as those of endorsement keys must. */
export function namesTpmModel(certificate: Certificate): boolean {
  const types = alternativeNames(certificate)
    .filter(({ tag }) => tag === DIRECTORY_NAME)
    .flatMap(({ children }) => children.flatMap((name) => readNameNode(name).flat()))
    .map(({ type }) => type)
  return TPM_ATTRIBUTES.every((attribute) => types.includes(attribute))
}

function alternativeNames({ extensions }: Certificate): readonly DerNode[] {
  const value = extensions.get(SUBJECT_ALT_NAME)?.value
  return value === undefined ? [] : readList(value, 'subjectAltName')
}

/** AnotherName, RFC 5280 §4.2.1.6: an object identifier, then what it defines in `[0]`. */
function readOtherName(node: DerNode, certificate: Certificate): readonly HardwareName[] {
  try {
    const [type, wrapped] = node.children
    const [value, ...more] = wrapped?.children ?? []
    const isWhole = node.children.length === 2 && wrapped?.tag === EXPLICIT_0 && more.length === 0
    if (type === undefined || value === undefined || !isWhole) return []
    const oid = readOid(type, 'type-id')
    if (oid === HARDWARE_MODULE_NAME) return [readModuleName(value)]
    return oid === PERMANENT_IDENTIFIER ? readPermanentIdentifier(value, certificate) : []
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return []
  }
}

/** HardwareModuleName: a serial number that is unique for its type. */
function readModuleName(value: DerNode): HardwareName {
  const fields = new DerFields(value, 'HardwareModuleName')
  const type = readOid(fields.next(DER.objectIdentifier, 'hwType'), 'hwType')
  const serial = fields.next(DER.octetString, 'hwSerialNum').content
  fields.end('HardwareModuleName')
  if (serial.length === 0) throw new MalformedDer('hwSerialNum')
  return nameOf('hardware-module', toUtf8(type), serial)
}

/** PermanentIdentifier: unique for its assigner, and for the issuer where none is named. */
function readPermanentIdentifier(value: DerNode, { issuer }: Certificate): readonly HardwareName[] {
  const fields = new DerFields(value, 'PermanentIdentifier')
  const content = fields.optional(UTF8_STRING)?.content
  const assigner = fields.optional(DER.objectIdentifier)
  fields.end('PermanentIdentifier')
  const text = content === undefined ? undefined : fromUtf8(content)
  if (text === undefined || text === '') return []
  if (assigner === undefined) {
    return [nameOf('permanent-identifier', toUtf8('issuer'), issuer, toUtf8(text))]
  }
  const oid = readOid(assigner, 'assigner')
  const hash = oid === EK_CERTIFICATE_DIGEST ? fromHex(text) : undefined
  if (hash?.length === 32) return [nameOfEkCertificateHash(hash)]
  return [nameOf('permanent-identifier', toUtf8(oid), toUtf8(text))]
}

function nameOf(kind: HardwareName['kind'], ...parts: readonly Uint8Array[]): HardwareName {
  const all = [toUtf8('countersign hardware name'), toUtf8(kind), ...parts]
  return { kind, identity: digest('sha256', ...all.flatMap((part) => [uint32(part.length), part])) }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
