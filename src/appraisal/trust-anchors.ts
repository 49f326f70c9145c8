import { z } from 'zod'
import { fromBase64, toBase64 } from '../base/encoding.ts'
import { isPublishedKey, PUBLISHED_KEY } from '../base/published-keys.ts'
import { type Certificate, parseCertificate } from '../evidence/x509/certificate.ts'
import { fingerprintOf } from '../evidence/x509/fingerprint.ts'
import { isSameName } from '../evidence/x509/name.ts'
import { KNOWN_ANCHOR_NAMES, knownAnchor } from './known-anchors.ts'
import { MAX_ANCHOR_BYTES, MAX_REFERENCE_NAME_CHARS } from './limits.ts'
import {
  countsAt,
  ENDS_AFTER_BEGINNING,
  endsAfterBeginning,
  type Validity,
  validityMembers,
  validityOf,
} from './validity.ts'

/**
 * A root of the authorities that certify attestation keys, as it is written: its certificate under a
 * name, or the name under which it is known here.
 */
export const trustAnchorSchema = z
  .strictObject({
    name: z.string().min(1).max(MAX_REFERENCE_NAME_CHARS).optional(),
    known: z.enum(KNOWN_ANCHOR_NAMES).optional(),
    /** base64 of the DER. */
    certificate: z
      .string()
      .superRefine((text, context) => {
        const read = readAnchor(text)
        if (typeof read === 'string') context.addIssue({ code: 'custom', message: read })
      })
      .meta({ contentEncoding: 'base64', pattern: '^[A-Za-z0-9+/]+={0,2}$' })
      .optional(),
    /**
     * `lax`: a certificate under this root makes an attestation key without saying so. Whatever
     * else the authority certifies for signing then passes for a TPM's key.
     */
    attestation_key_purpose: z.enum(['required', 'lax']).optional(),
    ...validityMembers,
  })
  .refine(endsAfterBeginning, ENDS_AFTER_BEGINNING)
  .refine(
    ({ name, known, certificate }) =>
      known === undefined
        ? name !== undefined && certificate !== undefined
        : certificate === undefined,
    'must have a name and a certificate, or known and no certificate',
  )
  .meta({
    oneOf: [
      { required: ['name', 'certificate'], not: { required: ['known'] } },
      { required: ['known'], not: { required: ['certificate'] } },
    ],
  })

type TrustAnchorDocument = z.infer<typeof trustAnchorSchema>

/**
 * An entry for a root certificate that chains of attestation keys may end at. It counts while both
 * the entry and the certificate are valid, which may be never.
 */
export type TrustAnchor = Validity & {
  readonly name: string
  /** As `fingerprintOf` says. */
  readonly fingerprint: string
  /**
   * Believed because it is listed; its own signature was not looked at. `undefined` where the entry
   * names a known root: then the fingerprint tells the certificate, whoever brings it.
   */
  readonly certificate: Certificate | undefined
  /** When the certificate is valid, the last moment included. */
  readonly notBefore: Date
  readonly notAfter: Date
  /** Whether certificates of attestation keys must name their purpose, 2.23.133.8.3. */
  readonly attestationKeyPurpose: 'required' | 'lax'
}

/** The entries by fingerprint, each list in the order of the document. */
export function groupByFingerprint(
  documents: readonly TrustAnchorDocument[],
): ReadonlyMap<string, readonly TrustAnchor[]> {
  const anchors = new Map<string, TrustAnchor[]>()
  for (const document of documents) {
    const root = identify(document)
    const { validFrom, validUntil } = validityOf(document)
    const entries = anchors.get(root.fingerprint) ?? []
    anchors.set(root.fingerprint, entries)
    entries.push({
      ...root,
      attestationKeyPurpose: document.attestation_key_purpose ?? 'required',
      validFrom: Math.max(validFrom, root.notBefore.getTime()),
      validUntil: Math.min(validUntil, endOf(root)),
    })
  }
  return anchors
}

type Root = Pick<TrustAnchor, 'name' | 'fingerprint' | 'certificate' | 'notBefore' | 'notAfter'>

function identify({ name, known, certificate: text }: TrustAnchorDocument): Root {
  if (known !== undefined) {
    const { fingerprint, notBefore, notAfter } = knownAnchor(known)
    return { name: name ?? known, fingerprint, certificate: undefined, notBefore, notAfter }
  }
  const certificate = text === undefined ? 'absent' : readAnchor(text)
  if (typeof certificate === 'string' || name === undefined) {
    throw new TypeError('a checked document has certificates and their names')
  }
  const { notBefore, notAfter } = certificate
  return { name, fingerprint: fingerprintOf(certificate), certificate, notBefore, notAfter }
}

/**
 * The anchors that chains may end at, each once: certificates, and fingerprints of those that are
 * known. `now` in milliseconds of the epoch. Those that count longest come first: of a root and its
 * renewal, chains then end at the one that stays.
 */
export function listAnchorsAt(
  anchors: ReadonlyMap<string, readonly TrustAnchor[]>,
  now: number,
): { readonly certificates: readonly Certificate[]; readonly known: readonly string[] } {
  const longest = (entries: readonly TrustAnchor[]) =>
    entries.filter((one) => countsAt(one, now)).reduce<TrustAnchor | undefined>(laterOf, undefined)
  const counting = [...anchors.values()]
    .flatMap((entries) => longest(entries) ?? [])
    .sort((a, b) => b.validUntil - a.validUntil)
    .map(({ fingerprint }) => fingerprint)
  const certificateOf = (fingerprint: string) =>
    anchors.get(fingerprint)?.find(({ certificate }) => certificate !== undefined)?.certificate
  return {
    certificates: counting.flatMap((fingerprint) => certificateOf(fingerprint) ?? []),
    known: counting.filter((fingerprint) => certificateOf(fingerprint) === undefined),
  }
}

/** Fingerprints of the anchors that an entry counting at `now` says `lax` of. */
export function listLaxAnchorsAt(
  anchors: ReadonlyMap<string, readonly TrustAnchor[]>,
  now: number,
): readonly string[] {
  const isLax = (entry: TrustAnchor) =>
    entry.attestationKeyPurpose === 'lax' && countsAt(entry, now)
  return [...anchors].flatMap(([fingerprint, entries]) =>
    entries.some(isLax) ? [fingerprint] : [],
  )
}

function laterOf(one: TrustAnchor | undefined, other: TrustAnchor): TrustAnchor {
  return one === undefined || one.validUntil < other.validUntil ? other : one
}

/** Exclusive, while the last moment that a certificate names still belongs to it. */
function endOf({ notAfter }: Pick<Certificate, 'notAfter'>): number {
  return notAfter.getTime() + 1
}

const MAX_CHARS = Math.ceil(MAX_ANCHOR_BYTES / 3) * 4

/** The certificate, or a sentence about why there is none. */
function readAnchor(text: string): Certificate | string {
  if (text.length > MAX_CHARS) return `must be a certificate of at most ${MAX_ANCHOR_BYTES} bytes`
  const der = fromBase64(text)
  if (der === undefined || toBase64(der) !== text) {
    return 'must be base64 of one certificate in DER: what stands between the lines of a PEM file, without line ends'
  }
  const certificate = parseCertificate(der, MAX_ANCHOR_BYTES)
  if (!certificate.ok) {
    const { reason, detail } = certificate.failure
    return `is no certificate that can be read: ${reason} (${detail})`
  }
  const { issuer, subject, spki } = certificate.value
  if (isPublishedKey(spki)) return PUBLISHED_KEY
  if (!isSameName(issuer, subject)) {
    return 'must be a root certificate, which is its own issuer: take the one at the top of the chain'
  }
  return certificate.value
}
