import { fromHex, toBase64Url } from '../base/encoding.ts'

/**
 * A root certificate that is known by name: by its published fingerprint, so that whoever brings the
 * certificate need not be trusted.
 */
export type KnownAnchor = {
  readonly name: string
  /** Common name of its subject, for people. */
  readonly subject: string
  /** As `fingerprintOf` says. */
  readonly fingerprint: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/**
 * Roots of authorities that certify attestation keys. That of Microsoft is over the authorities of
 * all regions that certify the keys of Windows devices; its SHA-256 stands in the lists of
 * tpm-ca-certificates and others, and is that of the certificate which Microsoft publishes.
 */
export const KNOWN_ANCHORS = [
  {
    name: 'microsoft-tpm-root-2014',
    subject: 'Microsoft TPM Root Certificate Authority 2014',
    fingerprint: published('870c7a35ceab3d59979f2c6a524042d404cb71518004350925fb2ced79a999da'),
    notBefore: new Date('2014-12-10T21:31:19Z'),
    notAfter: new Date('2039-12-10T21:39:28Z'),
  },
] as const satisfies readonly KnownAnchor[]

export type KnownAnchorName = (typeof KNOWN_ANCHORS)[number]['name']

export const KNOWN_ANCHOR_NAMES: readonly [KnownAnchorName, ...KnownAnchorName[]] = [
  'microsoft-tpm-root-2014',
]

/** What several of them are called together in a configuration. */
const GROUPS: Readonly<Record<string, readonly KnownAnchorName[]>> = {
  microsoft: ['microsoft-tpm-root-2014'],
}

/** Names that stand for known anchors. */
export const ANCHOR_NAMES: readonly string[] = [...Object.keys(GROUPS), ...KNOWN_ANCHOR_NAMES]

/** The anchor of this name. */
export function knownAnchor(name: KnownAnchorName): KnownAnchor {
  const found = KNOWN_ANCHORS.find((one) => one.name === name)
  if (found === undefined) throw new TypeError(`not a known anchor: ${name}`)
  return found
}

const FINGERPRINT = /^sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})$/i

/**
 * Fingerprints of the anchors that a word of a configuration stands for: a name, the name of a group,
 * or `sha256:` and the hexadecimal fingerprint of any certificate. `undefined`: it means nothing.
 */
export function readAnchorWord(word: string): readonly string[] | undefined {
  const [, hex] = FINGERPRINT.exec(word) ?? []
  if (hex !== undefined) return [published(hex.replaceAll(':', ''))]
  const names = Object.hasOwn(GROUPS, word) ? (GROUPS[word] ?? []) : [word]
  const found = KNOWN_ANCHORS.filter(({ name }) => names.includes(name))
  return found.length === 0 ? undefined : found.map(({ fingerprint }) => fingerprint)
}

/** Published fingerprints are hexadecimal. */
function published(hex: string): string {
  const bytes = fromHex(hex)
  if (bytes?.length !== 32) throw new TypeError('not a SHA-256')
  return toBase64Url(bytes)
}
