import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  type AttributeText,
  bitString,
  generalizedTime,
  integer,
  name,
  oid,
  type StringKind,
  sequence,
  tlv,
  utcTime,
} from '../../support/der-writer.ts'
import { type Dice, makeDice } from './dice.ts'
import {
  alternativeNames,
  authorityKeyIdentifier,
  basicConstraints,
  foreign,
  keyUsage,
  nameConstraints,
  policyExtensions,
  purposes,
  subjectKeyIdentifier,
  type Trait,
} from './generated-extensions.ts'

export type GeneratedChain = {
  readonly id: string
  readonly root: Buffer
  readonly intermediates: readonly Buffer[]
  readonly leaf: Buffer
  readonly traits: ReadonlySet<Trait>
}

/** Most certificates are sound but for what their chain is about. */
type Theme = 'policies' | 'names' | 'authority' | 'dates' | 'spelling' | 'purposes' | 'everything'
const THEMES: readonly Theme[] = [
  'policies',
  'policies',
  'names',
  'names',
  'authority',
  'dates',
  'spelling',
  'purposes',
  'everything',
]

type Key = { readonly privateKey: KeyObject; readonly spki: Buffer; readonly identifier: Buffer }

const KEYS: readonly Key[] = Array.from({ length: 8 }, () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return { privateKey, spki, identifier: createHash('sha1').update(spki).digest() }
})

export const NOW = new Date('2026-06-01T00:00:00Z')
export const LATER = new Date('2051-01-01T00:00:00Z')

const COMMON_NAME = '2.5.4.3'
const ORGANIZATION = '2.5.4.10'
const EMAIL = '1.2.840.113549.1.9.1'
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const DIGITAL_SIGNATURE = 0x80
const KEY_CERT_SIGN = 0x04

/** Generates chains that agree and disagree with RFC 5280 in every way that is looked at. */
export function generateChains(seed: number, count: number): readonly GeneratedChain[] {
  return Array.from({ length: count }, (_, at) =>
    new Chain(makeDice(seed * 1_000_003 + at), at).make(),
  )
}

class Chain {
  readonly #dice: Dice
  readonly #theme: Theme
  readonly #id: string
  readonly #traits = new Set<Trait>()
  readonly #hasKeyIdentifiers: boolean
  #nextKey: number

  constructor(dice: Dice, at: number) {
    this.#dice = dice
    this.#theme = dice.pick(THEMES)
    this.#id = `chain${at}`
    this.#nextKey = dice.roll(KEYS.length)
    this.#hasKeyIdentifiers = dice.chance(0.5)
  }

  make(): GeneratedChain {
    const dice = this.#dice
    const count = dice.pick([0, 1, 1, 2, 2, 3])
    const rootName = this.#nameOf('root')
    let issuer = { subject: rootName, key: this.#key() }
    const root = this.#issue(issuer, issuer, 'root')
    const intermediates: Buffer[] = []
    for (let at = 0; at < count; at += 1) {
      // Key identifiers are what tells the certificates of a key's rollover apart.
      const isSelfIssued = this.#hasKeyIdentifiers && dice.chance(0.15)
      if (isSelfIssued) this.#traits.add('issuers-of-one-name')
      const subject = isSelfIssued ? issuer.subject : this.#nameOf(`ca ${at}`)
      const holder = { subject, key: this.#key() }
      intermediates.push(this.#issue(issuer, holder, 'authority'))
      issuer = holder
    }
    const leaf = this.#issue(issuer, { subject: this.#nameOf('leaf'), key: this.#key() }, 'leaf')
    return { id: this.#id, root, intermediates, leaf, traits: this.#traits }
  }

  #is(...themes: readonly Theme[]): boolean {
    return this.#theme === 'everything' || themes.includes(this.#theme)
  }

  #key(): Key {
    this.#nextKey = (this.#nextKey + 1) % KEYS.length
    const key = KEYS[this.#nextKey]
    if (key === undefined) throw new TypeError('there are keys')
    return key
  }

  /** With a space, or OpenSSL takes the common name for the name of a host. */
  #nameOf(role: string): readonly AttributeText[] {
    const dice = this.#dice
    const letters = this.#is('spelling') && dice.chance(0.1) ? 'é' : 'e'
    const organization = this.#is('names') ? dice.pick(['Maker', 'Other']) : 'Maker'
    const mailbox: readonly AttributeText[] =
      this.#is('names') && role === 'leaf' && dice.chance(0.15)
        ? [[EMAIL, 'ia5', dice.pick(['x@a.example', 'y@other.test'])]]
        : []
    return [
      [ORGANIZATION, 'utf8', organization],
      [COMMON_NAME, 'utf8', `${this.#id} T${letters}st ${role}`],
      ...mailbox,
    ]
  }

  /** The same name in other letters, string types and spaces, and rarely another. */
  #spell(attributes: readonly AttributeText[]): Buffer {
    const dice = this.#dice
    if (!this.#is('spelling')) return name(...attributes)
    const spelled = attributes.map(([type, , text]): AttributeText => {
      const kind = dice.pick<StringKind>([
        'utf8',
        'utf8',
        'printable',
        'teletex',
        'bmp',
        'universal',
      ])
      const isPlain = !text.includes('é')
      const letters = dice.pick([text, text, text.toUpperCase(), text.toLowerCase()])
      if (letters !== text && !isPlain) this.#traits.add('letters-beyond-ascii')
      const spaced = dice.chance(0.2) ? ` ${letters.replaceAll(' ', '   ')} ` : letters
      const other = dice.chance(0.03) ? spaced.replaceAll('T', 'X') : spaced
      return [type, isPlain || kind !== 'printable' ? kind : 'utf8', other]
    })
    return name(...(dice.chance(0.02) ? spelled.toReversed() : spelled))
  }

  #issue(
    issuer: { readonly subject: readonly AttributeText[]; readonly key: Key },
    holder: { readonly subject: readonly AttributeText[]; readonly key: Key },
    role: 'root' | 'authority' | 'leaf',
  ): Buffer {
    const dice = this.#dice
    const version = this.#is('authority') && dice.chance(0.08) ? dice.pick([1, 2]) : 3
    if (version === 2 && role === 'root') this.#traits.add('anchor-of-version-2')
    const extensions = version === 3 ? this.#extensions(issuer.key, holder.key, role) : []
    const isForged = dice.chance(0.01)
    const tbs = sequence(
      ...(version === 1 ? [] : [tlv(0xa0, integer([version - 1]))]),
      integer(dice.pick([[1], [1, 2, 3], [0], [0x9a, 1], [0, ...Array(20).fill(0xab)]])),
      ECDSA_SHA256,
      // A root's two names are one text, or it would not be its own issuer everywhere.
      role === 'root' ? name(...issuer.subject) : this.#spell(issuer.subject),
      this.#validity(),
      name(...holder.subject),
      holder.key.spki,
      ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))]),
    )
    const { privateKey } = isForged ? this.#key() : issuer.key
    return sequence(tbs, ECDSA_SHA256, bitString(sign('sha256', tbs, privateKey)))
  }

  #validity(): Buffer {
    const dice = this.#dice
    if (!this.#is('dates'))
      return sequence(utcTime('200101000000Z'), generalizedTime('99991231235959Z'))
    const before = dice.pick([
      ...Array(6).fill(utcTime('200101000000Z')),
      utcTime('260601000000Z'),
      utcTime('260601000001Z'),
      utcTime('500101000000Z'),
      utcTime('491231235959Z'),
      generalizedTime('20500101000000Z'),
    ])
    const [after, endsNow] = dice.pick([
      ...Array(6).fill([generalizedTime('99991231235959Z'), false]),
      [utcTime('491231235959Z'), false],
      [generalizedTime('20500101000000Z'), false],
      [generalizedTime('20510101000000Z'), true],
      [utcTime('260531235959Z'), false],
      [utcTime('260601000000Z'), true],
      [utcTime('260601000001Z'), false],
    ])
    if (endsNow) this.#traits.add('ends-now')
    return sequence(before, after)
  }

  #extensions(issuer: Key, holder: Key, role: 'root' | 'authority' | 'leaf'): Buffer[] {
    const dice = this.#dice
    const isAuthority = role !== 'leaf'
    return [
      ...this.#authority(isAuthority),
      ...(this.#hasKeyIdentifiers ? this.#identifiers(issuer, holder, role) : []),
      ...(this.#is('policies') && role !== 'root'
        ? policyExtensions(dice, isAuthority, this.#traits)
        : []),
      ...(this.#is('names') && dice.chance(isAuthority ? 0.15 : 0.8) ? alternativeNames(dice) : []),
      ...(this.#is('names') && isAuthority && dice.chance(0.4)
        ? nameConstraints(dice, this.#traits)
        : []),
      ...(this.#is('purposes') && dice.chance(0.4)
        ? purposes(dice, isAuthority, this.#traits)
        : []),
      ...(dice.chance(this.#is('authority') ? 0.08 : 0.02) ? foreign(dice) : []),
    ]
  }

  #authority(isAuthority: boolean): Buffer[] {
    const dice = this.#dice
    const mask = isAuthority ? KEY_CERT_SIGN | 0x02 : DIGITAL_SIGNATURE
    if (!this.#is('authority')) return [basicConstraints(isAuthority, undefined), keyUsage(mask)]
    const hasUsage = dice.chance(0.8)
    const odd = dice.pick([0x80, 0x20, 0x02, 0x84, 0x08])
    const usage = hasUsage ? [keyUsage(dice.chance(0.9) ? mask : odd)] : []
    if (dice.chance(0.06)) {
      if (isAuthority) this.#traits.add('authority-without-basicConstraints')
      return usage
    }
    const ca = isAuthority ? dice.chance(0.97) : dice.chance(0.1)
    const length = ca && dice.chance(0.4) ? dice.pick([0, 0, 1, 1, 2, 3]) : undefined
    return [basicConstraints(ca, length), ...usage]
  }

  #identifiers(issuer: Key, holder: Key, role: 'root' | 'authority' | 'leaf'): Buffer[] {
    const own = subjectKeyIdentifier(holder.identifier)
    const isWrong = role === 'leaf' && this.#dice.chance(0.02)
    if (isWrong) this.#traits.add('key-identifiers-differ')
    const above = isWrong ? Buffer.alloc(20, 7) : issuer.identifier
    return [own, authorityKeyIdentifier(above)]
  }
}
