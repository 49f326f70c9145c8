import {
  bitString,
  boolean,
  extension,
  integer,
  name,
  octetString,
  oid,
  sequence,
  tlv,
} from '../../support/der-writer.ts'
import type { Dice } from './dice.ts'

/** What a generated chain has that OpenSSL and RFC 5280 may see differently. */
export type Trait =
  | 'authority-without-basicConstraints'
  | 'any-purpose-of-issuer'
  | 'key-identifiers-differ'
  | 'letters-beyond-ascii'
  | 'ends-now'
  | 'leading-period-in-dns-constraint'
  | 'anchor-of-version-2'
  | 'issuers-of-one-name'
  | 'mapping-of-unlisted-policy'

export const POLICIES = ['1.3.6.1.4.1.99999.1', '1.3.6.1.4.1.99999.2', '1.3.6.1.4.1.99999.3']
const ANY_POLICY = '2.5.29.32.0'

/** In a chain about policies every certificate has some of these, each as likely sound as odd. */
export function policyExtensions(dice: Dice, isAuthority: boolean, traits: Set<Trait>): Buffer[] {
  const found: Buffer[] = []
  const listed = dice.chance(0.9) ? dice.some([...POLICIES, ANY_POLICY], 0.5) : []
  if (listed.length > 0) {
    const repeated = dice.chance(0.01) ? listed.slice(0, 1) : []
    const entries = [...listed, ...repeated].map((policy) => sequence(oid(policy)))
    found.push(extension('2.5.29.32', dice.chance(0.5), sequence(...entries)))
  }
  if (isAuthority && dice.chance(0.35)) {
    const pool = dice.chance(0.03) ? [...POLICIES, ANY_POLICY] : POLICIES
    const pairs = Array.from({ length: 1 + dice.roll(3) }, () => [dice.pick(pool), dice.pick(pool)])
    if (pairs.some(([issuer = '']) => !listed.includes(issuer))) {
      traits.add('mapping-of-unlisted-policy')
    }
    const mappings = pairs.map((pair) => sequence(...pair.map((policy) => oid(policy))))
    found.push(extension('2.5.29.33', dice.chance(0.5), sequence(...mappings)))
  }
  if (dice.chance(0.2)) {
    const explicit = dice.chance(0.6) ? [integer([dice.roll(3)], 0x80)] : []
    const mapping = dice.chance(0.5) ? [integer([dice.roll(3)], 0x81)] : []
    found.push(extension('2.5.29.36', dice.chance(0.5), sequence(...explicit, ...mapping)))
  }
  if (dice.chance(0.15)) found.push(extension('2.5.29.54', true, integer([dice.roll(3)])))
  return found
}

const HOSTS = ['a.example', 'b.a.example', 'example', 'xa.example', 'A.EXAMPLE', 'other.test']
const HOST_BASES = ['a.example', 'example', 'other.test', 'A.example', '']
const MAILBOXES = ['x@a.example', 'X@a.example', 'x@b.a.example', 'x@A.EXAMPLE', 'y@other.test']
const MAIL_BASES = ['x@a.example', 'a.example', '.a.example', '.example', 'other.test']
const URIS = [
  'http://a.example/p',
  'ldap://b.a.example:389/cn',
  'https://other.test',
  'urn:x:y',
  'http://A.EXAMPLE/',
]
const URI_BASES = ['a.example', '.a.example', '.example', 'other.test']
const ADDRESSES = [
  [10, 0, 0, 1],
  [10, 1, 2, 3],
  [192, 168, 0, 1],
  [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
]
const ADDRESS_BASES = [
  [10, 0, 0, 0, 255, 0, 0, 0],
  [10, 1, 0, 0, 255, 255, 0, 0],
  [0x20, 1, 0xd, 0xb8, ...Array(12).fill(0), 255, 255, 255, 255, ...Array(12).fill(0)],
]
const DIRECTORIES = ['Maker', 'maker', 'Other']
const REGISTERED = ['1.2.3', '1.2.4']

const ia5 = (tag: number, text: string) => tlv(tag, Buffer.from(text, 'latin1'))
const directory = (organization: string) => tlv(0xa4, name(['2.5.4.10', 'utf8', organization]))

/** One name of a form, or one base. */
function alternativeName(dice: Dice): Buffer {
  switch (dice.roll(7)) {
    case 0:
    case 1:
      return ia5(0x82, dice.pick(HOSTS))
    case 2:
      return ia5(0x81, dice.pick(MAILBOXES))
    case 3:
      return ia5(0x86, dice.pick(URIS))
    case 4:
      return tlv(0x87, Buffer.from(dice.pick(ADDRESSES)))
    case 5:
      return directory(dice.pick(DIRECTORIES))
    default:
      return dice.chance(0.3) ? oid(dice.pick(REGISTERED), 0x88) : ia5(0x82, dice.pick(HOSTS))
  }
}

function subtree(dice: Dice, traits: Set<Trait>): Buffer {
  switch (dice.roll(7)) {
    case 0:
    case 1: {
      if (!dice.chance(0.03)) return sequence(ia5(0x82, dice.pick(HOST_BASES)))
      traits.add('leading-period-in-dns-constraint')
      return sequence(ia5(0x82, '.a.example'))
    }
    case 2:
      return sequence(ia5(0x81, dice.pick(MAIL_BASES)))
    case 3:
      return sequence(ia5(0x86, dice.pick(URI_BASES)))
    case 4:
      return sequence(tlv(0x87, Buffer.from(dice.pick(ADDRESS_BASES))))
    case 5:
      return sequence(directory(dice.pick(DIRECTORIES)))
    default:
      return sequence(
        dice.chance(0.3) ? oid(dice.pick(REGISTERED), 0x88) : directory(dice.pick(DIRECTORIES)),
      )
  }
}

export function alternativeNames(dice: Dice): Buffer[] {
  const names = Array.from({ length: 1 + dice.roll(2) }, () => alternativeName(dice))
  return [extension('2.5.29.17', dice.chance(0.3), sequence(...names))]
}

export function nameConstraints(dice: Dice, traits: Set<Trait>): Buffer[] {
  const trees = (count: number) => Array.from({ length: count }, () => subtree(dice, traits))
  const permitted = trees(dice.roll(4))
  const excluded = trees(permitted.length === 0 ? 1 : dice.roll(2))
  const parts = [
    ...(permitted.length === 0 ? [] : [tlv(0xa0, ...permitted)]),
    ...(excluded.length === 0 ? [] : [tlv(0xa1, ...excluded)]),
  ]
  return [extension('2.5.29.30', dice.chance(0.9), sequence(...parts))]
}

export function basicConstraints(ca: boolean, pathLength: number | undefined): Buffer {
  const length = pathLength === undefined ? [] : [integer([pathLength])]
  const value = sequence(...(ca ? [boolean(true)] : []), ...length)
  return extension('2.5.29.19', true, value)
}

/** From the first octet of the bits. RFC 5280 §4.2.1.3 */
export function keyUsage(mask: number): Buffer {
  const unused = 31 - Math.clz32(mask & -mask)
  return extension('2.5.29.15', true, bitString(Buffer.from([mask]), unused))
}

export const CLIENT = '1.3.6.1.5.5.7.3.2'
const SERVER = '1.3.6.1.5.5.7.3.1'
const ANY_PURPOSE = '2.5.29.37.0'

export function purposes(dice: Dice, isAuthority: boolean, traits: Set<Trait>): Buffer[] {
  const listed: readonly string[] = dice.pick([
    [CLIENT],
    [SERVER],
    [CLIENT, SERVER],
    [SERVER, ANY_PURPOSE],
  ])
  if (isAuthority && listed.includes(ANY_PURPOSE)) traits.add('any-purpose-of-issuer')
  return [extension('2.5.29.37', dice.chance(0.3), sequence(...listed.map((one) => oid(one))))]
}

export function subjectKeyIdentifier(identifier: Uint8Array): Buffer {
  return extension('2.5.29.14', false, octetString(identifier))
}

export function authorityKeyIdentifier(identifier: Uint8Array): Buffer {
  return extension('2.5.29.35', false, sequence(tlv(0x80, identifier)))
}

/** Extensions that nobody processes. */
export function foreign(dice: Dice): Buffer[] {
  const value = Buffer.from([5, 0])
  return [extension('1.3.6.1.4.1.99999.9', dice.chance(0.4), value)]
}
