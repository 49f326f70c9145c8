import { DER, decodeDer } from './der.ts'
import { type NameAttribute, readName, readText } from './name.ts'

/** How people call the attributes that names of authorities have. RFC 4514 §3 */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}
const COMMON_NAME = '2.5.4.3'

/** A Name for people, its last part first: `CN=Root, O=Maker`. `der` is one that was parsed before. */
export function describeName(der: Uint8Array): string {
  const parts = readName(der).map((attributes) => attributes.map(describeAttribute).join(' + '))
  return parts.length === 0 ? '(no name)' : parts.toReversed().join(', ')
}

/** The common name alone, or the whole name where there is none. */
export function shortNameOf(der: Uint8Array): string {
  const attributes = readName(der).flat()
  const common = attributes.find(({ type }) => type === COMMON_NAME)
  return (common && readText(common.value)) ?? describeName(der)
}

function describeAttribute({ type, value }: NameAttribute): string {
  const text = readText(value) ?? `#${Buffer.from(value.raw).toString('hex')}`
  return `${ATTRIBUTES[type] ?? type}=${text}`
}

/** The object identifier of a key's algorithm is all that is told of keys that cannot be used. */
export function describeKey(spki: Uint8Array): string {
  const [algorithm] = decodeDer(spki, 'SubjectPublicKeyInfo').children
  const oid = algorithm?.children.find(({ tag }) => tag === DER.objectIdentifier)?.oid
  return oid === undefined ? 'unknown' : (KEYS[oid] ?? oid)
}

const KEYS: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.1': 'RSA',
  '1.2.840.10045.2.1': 'EC',
}
