import { DER, DerFields, type DerNode, MalformedDer, readList, readOid } from './der.ts'
import { MAX_GENERAL_NAMES } from './limits.ts'
import { type ComparableName, readNameNode, toComparable } from './name.ts'

/** Forms of names, each with how its value is kept. RFC 5280 §4.2.1.6 */
export type GeneralName =
  | { readonly form: 'rfc822Name' | 'dNSName' | 'uniformResourceIdentifier'; readonly text: string }
  | { readonly form: 'directoryName'; readonly name: ComparableName }
  | { readonly form: 'iPAddress'; readonly octets: Uint8Array }
  /** Nobody here compares names of these forms. */
  | { readonly form: 'otherName' | 'x400Address' | 'ediPartyName' | 'registeredID' }

export type NameForm = GeneralName['form']

/** By the identifier octet of the choice. */
const FORMS: ReadonlyMap<number, NameForm> = new Map([
  [0xa0, 'otherName'],
  [0x81, 'rfc822Name'],
  [0x82, 'dNSName'],
  [0xa3, 'x400Address'],
  [0xa4, 'directoryName'],
  [0xa5, 'ediPartyName'],
  [0x86, 'uniformResourceIdentifier'],
  [0x87, 'iPAddress'],
  [0x88, 'registeredID'],
])

/** Throws `MalformedDer`. */
export function readGeneralName(node: DerNode): GeneralName {
  const form = FORMS.get(node.tag)
  switch (form) {
    case undefined:
      throw new MalformedDer('GeneralName')
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
      return { form, text: readIa5(node.content) }
    case 'directoryName': {
      const [name, ...more] = node.children
      if (name === undefined || more.length > 0) throw new MalformedDer('GeneralName')
      return { form, name: toComparable(readNameNode(name)) }
    }
    case 'iPAddress':
      return { form, octets: node.content }
    default:
      return { form }
  }
}

/** The names of a subjectAltName. RFC 5280 §4.2.1.6. An absent extension has none. */
export function readAlternativeNames(value: Uint8Array | undefined): readonly GeneralName[] {
  if (value === undefined) return []
  const names = readList(value, 'subjectAltName')
  if (names.length > MAX_GENERAL_NAMES) throw new MalformedDer('subjectAltName')
  return names.map(readGeneralName)
}

/** id-ad-caIssuers */
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'

/** Where a certificate says that its issuer's can be fetched: URLs of any scheme. §4.2.2.1 */
export function readIssuerUrls(value: Uint8Array | undefined): readonly string[] {
  if (value === undefined) return []
  return readList(value, 'authorityInfoAccess').flatMap((description) => {
    const fields = new DerFields(description, 'AccessDescription')
    const method = readOid(fields.next(DER.objectIdentifier, 'accessMethod'), 'accessMethod')
    const location = readGeneralName(fields.any('accessLocation'))
    fields.end('AccessDescription')
    const isUrl = method === CA_ISSUERS && location.form === 'uniformResourceIdentifier'
    return isUrl ? [location.text] : []
  })
}

function readIa5(content: Uint8Array): string {
  if (content.some((octet) => octet > 0x7f)) throw new MalformedDer('IA5String')
  return Buffer.from(content).toString('latin1')
}
