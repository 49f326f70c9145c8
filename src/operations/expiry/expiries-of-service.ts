import { KNOWN_ANCHORS } from '../../appraisal/known-anchors.ts'
import { fromBase64 } from '../../base/encoding.ts'
import type { Config } from '../../config/config.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import type { KeySet } from '../../evidence/jws/key-set.ts'
import { type Certificate, parseCertificate } from '../../evidence/x509/certificate.ts'
import { shortNameOf } from '../../evidence/x509/describe-name.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { keyState } from '../../keys/key-times.ts'
import { SIGNING_KEY_USES } from '../../store/schema/system-schema.ts'
import type { ApiClient } from '../../store/system/clients.ts'
import type { KeptIssuerCertificate } from '../../store/system/issuer-certificates.ts'
import type { StoredSigningKey } from '../../store/system/stored-signing-keys.ts'
import { EXPIRY_TEXTS, type Expiry, type ExpiryKind } from './expiry.ts'

/** The settings that something may end by. */
export type ExpirySettings = Pick<
  Config,
  'akTrustAnchors' | 'ekTrustAnchors' | 'signingKeyDays' | 'breakGlass'
>

const DAY_MS = 86_400_000

/**
 * What of the settings ends, whether it has already or not, as long as it stands there: certificates that vouch
 * for keys, and keys that break the glass. A root that a setting names by nothing but a fingerprint that is
 * not known here has no end that could be told.
 */
export function expiriesOfSettings(settings: ExpirySettings): readonly Expiry[] {
  const { akTrustAnchors, ekTrustAnchors, breakGlass } = settings
  const keys = breakGlass?.keys ?? []
  return [
    ...ofTrust('AK_TRUST_ANCHORS', akTrustAnchors),
    ...ofTrust('EK_TRUST_ANCHORS', ekTrustAnchors),
    ...keys.flatMap(({ kid, thumbprint, expiresAt }) => {
      if (expiresAt === undefined) return []
      const about = { id: thumbprint, name: kid, source: 'BREAK_GLASS_KEYS', since: null }
      return [expiryOf('break_glass_key', { ...about, at: expiresAt })]
    }),
  ]
}

function ofTrust(source: string, text: string | undefined): readonly Expiry[] {
  const { anchors, intermediates, knownAnchors = new Set() } = readTrustAnchors(text)
  const known = KNOWN_ANCHORS.filter(({ fingerprint }) => knownAnchors.has(fingerprint))
  return [
    ...anchors.map((one) => ofCertificate('trust_anchor', one, source)),
    ...known.map(({ fingerprint: id, subject: name, notBefore: since, notAfter: at }) =>
      expiryOf('trust_anchor', { id, name, source, since, at }),
    ),
    ...intermediates.map((one) => ofCertificate('intermediate', one, source)),
  ]
}

function ofCertificate(kind: ExpiryKind, certificate: Certificate, source: string): Expiry {
  const { subject, notBefore: since, notAfter: at } = certificate
  const id = fingerprintOf(certificate)
  return expiryOf(kind, { id, name: shortNameOf(subject), source, since, at })
}

function expiryOf(
  kind: ExpiryKind,
  about: Pick<Expiry, 'id' | 'name' | 'source' | 'since' | 'at'>,
): Expiry {
  return { kind, ...about, ...EXPIRY_TEXTS[kind] }
}

/**
 * Our own keys: of each use the one that is to be followed by another, when that is due by the schedule; and of
 * those that still count and are published as a certificate, the end of that.
 */
export function expiriesOfKeys(
  keys: readonly StoredSigningKey[],
  { signingKeyDays, now }: Pick<ExpirySettings, 'signingKeyDays'> & { readonly now: Date },
): readonly Expiry[] {
  const living = keys.filter((key) => keyState(key, now) !== 'ended')
  const scheduled = SIGNING_KEY_USES.flatMap((use) => {
    const newest = living.findLast((key) => key.use === use)
    if (newest === undefined || signingKeyDays === 0) return []
    const { kid: id, signsFrom: since } = newest
    const at = new Date(since.getTime() + signingKeyDays * DAY_MS)
    const about = { id, name: `${use} ${id}`, source: 'SIGNING_KEY_DAYS', since, at }
    return [expiryOf('signing_key', about)]
  })
  const certified = living.flatMap(({ kid, use, certificate: text }) => {
    const der = text === null ? undefined : fromBase64(text)
    const parsed = der && parseCertificate(der)
    if (!parsed?.ok) return []
    const { notBefore: since, notAfter: at } = parsed.value
    const about = { id: kid, name: `${use} ${kid}`, source: 'signing keys', since, at }
    return [expiryOf('key_certificate', about)]
  })
  return [...scheduled, ...certified]
}

/** Secrets of clients that are not disabled, where an end was said when they were made. */
export function expiriesOfClients(clients: readonly ApiClient[]): readonly Expiry[] {
  return clients.flatMap(({ clientId: id, name, disabledAt, secretExpiresAt: at, ...client }) => {
    if (disabledAt !== null || at === null) return []
    const since = client.secretChangedAt ?? client.createdAt
    return [expiryOf('client_secret', { id, name, source: 'clients', since, at })]
  })
}

/** Certificates of issuers that were fetched and are kept. */
export function expiriesOfIssuers(
  certificates: readonly KeptIssuerCertificate[],
): readonly Expiry[] {
  return certificates.map(({ fingerprint: id, certificate: text, validUntil: at, keptAt }) => {
    const der = fromBase64(text)
    const parsed = der && parseCertificate(der)
    const name = parsed?.ok ? shortNameOf(parsed.value.subject) : id
    return expiryOf('issuer_certificate', { id, name, source: 'database', since: keptAt, at })
  })
}

/** Keys of the providers' key sets that are published with a chain of certificates that ends. */
export function expiriesOfProviders(
  keySets: ReadonlyMap<string, Pick<KeySet, 'keys'>>,
): readonly Expiry[] {
  return [...keySets].flatMap(([issuer, { keys }]) =>
    [...keys.values()].flatMap(({ kid, validity }) => {
      if (validity === undefined) return []
      const { notBefore: since, notAfter: at } = validity
      const about = { id: `${issuer} ${kid}`, name: `${issuer} ${kid}`, source: issuer, since, at }
      return [expiryOf('provider_key', about)]
    }),
  )
}
