import { equalBytes } from '../../base/digest.ts'
import { fromUtf8 } from '../../base/encoding.ts'
import { DER, DerFields, type DerNode, decodeDer, MalformedDer, readOid } from './der.ts'
import { MAX_NAME_ATTRIBUTES } from './limits.ts'
import { prepareText } from './prepared-text.ts'

/**
 * A Name in the form in which it is compared: a text for each relative distinguished name, from the
 * first in the encoding. RFC 5280 §7.1
 */
export type ComparableName = readonly string[]

/** One attribute of a Name, as it is written. */
export type NameAttribute = { readonly type: string; readonly value: DerNode }

/**
 * Whether two Names, in DER as received, are the same by RFC 5280 §7.1: whatever string types,
 * letter case and insignificant spaces they are written with. A Name that cannot be read is the
 * same only as its own bytes.
 */
export function isSameName(a: Uint8Array, b: Uint8Array): boolean {
  return equalBytes(a, b) || nameKey(a) === nameKey(b)
}

/** One text for all spellings of a Name, to find it by. */
export function nameKey(name: Uint8Array): string {
  const known = keys.get(name)
  if (known !== undefined) return known
  const key = makeKey(name)
  keys.set(name, key)
  return key
}

/** Configured certificates are asked for theirs again and again. */
const keys = new WeakMap<Uint8Array, string>()

function makeKey(name: Uint8Array): string {
  try {
    return JSON.stringify(toComparable(readName(name)))
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error
    return `unreadable ${Buffer.from(name).toString('hex')}`
  }
}

/** The relative distinguished names of a Name in DER. Throws `MalformedDer`. RFC 5280 §4.1.2.4 */
export function readName(der: Uint8Array): readonly (readonly NameAttribute[])[] {
  return readNameNode(decodeDer(der, 'Name'))
}

export function readNameNode(name: DerNode): readonly (readonly NameAttribute[])[] {
  if (name.tag !== DER.sequence) throw new MalformedDer('Name')
  const names = name.children.map(readRelativeName)
  if (names.flat().length > MAX_NAME_ATTRIBUTES) throw new MalformedDer('Name: attributes')
  return names
}

function readRelativeName(node: DerNode): readonly NameAttribute[] {
  if (node.tag !== DER.set || node.children.length === 0) throw new MalformedDer('Name')
  return node.children.map((child) => {
    const fields = new DerFields(child, 'AttributeTypeAndValue')
    const type = readOid(fields.next(DER.objectIdentifier, 'AttributeType'), 'AttributeType')
    const value = fields.any('AttributeValue')
    fields.end('AttributeTypeAndValue')
    return { type, value }
  })
}

/** Attributes of one relative name have no order. */
export function toComparable(name: readonly (readonly NameAttribute[])[]): ComparableName {
  return name.map((attributes) => JSON.stringify(attributes.map(toComparableAttribute).sort()))
}

function toComparableAttribute({ type, value }: NameAttribute): string {
  const text = readText(value)
  const prepared = text === undefined ? undefined : prepareText(text)
  return prepared === undefined
    ? `${type}#${Buffer.from(value.raw).toString('hex')}`
    : `${type}=${prepared}`
}

/**
 * The text of a value of a string type; `undefined` for other types and damaged text, which are
 * compared by their bytes. TeletexString is read as Latin-1, as everybody writes it.
 */
export function readText({ tag, content }: DerNode): string | undefined {
  switch (tag) {
    case DER.utf8String:
      return fromUtf8(content)
    case STRING.printable:
    case STRING.ia5:
    case STRING.visible:
    case STRING.numeric:
      return content.every((octet) => octet < 0x80)
        ? Buffer.from(content).toString('latin1')
        : undefined
    case STRING.teletex:
      return Buffer.from(content).toString('latin1')
    case STRING.bmp:
      return decodeUnits(content, 2)
    case STRING.universal:
      return decodeUnits(content, 4)
    default:
      return undefined
  }
}

const STRING = {
  numeric: 0x12,
  printable: 0x13,
  teletex: 0x14,
  ia5: DER.ia5String,
  visible: 0x1a,
  universal: 0x1c,
  bmp: 0x1e,
} as const

/** Characters of two or four octets, most significant first. */
function decodeUnits(content: Uint8Array, size: 2 | 4): string | undefined {
  if (content.length % size !== 0) return undefined
  const bytes = Buffer.from(content)
  const units = Array.from({ length: content.length / size }, (_, at) =>
    bytes.readUIntBE(at * size, size),
  )
  if (units.some((unit) => unit > 0x10ffff)) return undefined
  return size === 2 ? String.fromCharCode(...units) : String.fromCodePoint(...units)
}
