import { fromBase64 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  MAX_KEY_CERTIFICATE_BYTES,
  MAX_KEY_CHAIN_CERTIFICATES,
  MAX_KEY_SET_KEYS,
  MAX_NAME_CHARS,
} from '../limits.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { readSubjectPublicKey } from '../x509/public-key.ts'
import { hasPrivateMembers, type RsaPublicKey, readRsaJwk } from '../x509/rsa-public-key.ts'
import { isJsonObject, type JsonObject } from './compact-jws.ts'
import { importJwsKey } from './jws-signature.ts'
import type { VerificationKey } from './verify-signature.ts'

/** Why a JSON Web Key Set as a whole is of no use. */
export const KEY_SET_REASONS = ['key_set_malformed', 'key_set_too_large', 'key_set_empty'] as const

export type KeySetFailure = {
  readonly reason: (typeof KEY_SET_REASONS)[number]
  readonly ignored: readonly IgnoredKey[]
}

/** A listed key that is not used, and why: for whoever wonders about an unknown `kid`. */
export type IgnoredKey = {
  readonly kid: string | undefined
  readonly why:
    | 'malformed'
    | 'not_rsa'
    | 'refused'
    | 'other_use'
    | 'private'
    | 'certificate_mismatch'
    | 'duplicate'
    | 'ambiguous_kid'
}

/** A key of one issuer, ready to verify RS256. */
export type IssuerKey = {
  readonly kid: string
  readonly key: VerificationKey
  readonly jwk: RsaPublicKey
  /**
   * When every certificate of a chain is valid. Absent for bare keys and for self-signed
   * certificates, which bound nothing.
   */
  readonly validity: { readonly notBefore: Date; readonly notAfter: Date } | undefined
}

/** The keys of one issuer by `kid`. As trustworthy as the place the JSON was fetched from. */
export type KeySet = {
  readonly keys: ReadonlyMap<string, IssuerKey>
  readonly ignored: readonly IgnoredKey[]
}

type ReadKey = Omit<IssuerKey, 'key'>

/**
 * Imports a JSON Web Key Set (RFC 7517 §5) for RS256. Keys of Azure Attestation have only `kid`,
 * `kty` and `x5c`; the public key is then that of `x5c[0]`. Where `n` and `e` are there too, they
 * must be the same key. Keys that are of no use are listed in `ignored` and do not spoil the
 * others; a `kid` that names two different keys names none.
 *
 * No certificate chain is validated: the set comes from the issuer's own configured address.
 */
export async function importKeySet(json: unknown): Promise<Result<KeySet, KeySetFailure>> {
  const list = isJsonObject(json) ? json.keys : undefined
  if (!Array.isArray(list)) return err({ reason: 'key_set_malformed', ignored: [] })
  if (list.length > MAX_KEY_SET_KEYS) return err({ reason: 'key_set_too_large', ignored: [] })
  const ignored: IgnoredKey[] = []
  const byKid = new Map<string, ReadKey>()
  const ambiguous = new Set<string>()
  for (const entry of list as unknown[]) {
    const key = readKey(entry)
    if ('why' in key) ignored.push(key)
    else if (!byKid.has(key.kid)) byKid.set(key.kid, key)
    else if (byKid.get(key.kid)?.jwk.n === key.jwk.n) ignored.push(because(key.kid, 'duplicate'))
    else ambiguous.add(key.kid)
  }
  for (const kid of ambiguous) {
    byKid.delete(kid)
    ignored.push(because(kid, 'ambiguous_kid'))
  }
  if (byKid.size === 0) return err({ reason: 'key_set_empty', ignored })
  const imported = await Promise.all([...byKid.values()].map(importKey))
  return ok({ keys: new Map(imported.map((key) => [key.kid, key])), ignored })
}

async function importKey(key: ReadKey): Promise<IssuerKey> {
  return { ...key, key: await importJwsKey(key.jwk, 'RS256') }
}

function readKey(entry: unknown): ReadKey | IgnoredKey {
  if (!isJsonObject(entry)) return because(undefined, 'malformed')
  const { kid, kty, use, alg } = entry
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_NAME_CHARS) {
    return because(undefined, 'malformed')
  }
  if (kty !== 'RSA') return because(kid, 'not_rsa')
  if (hasPrivateMembers(entry)) return because(kid, 'private')
  if ((use !== undefined && use !== 'sig') || (alg !== undefined && alg !== 'RS256')) {
    return because(kid, 'other_use')
  }
  return readPublicKey(kid, entry)
}

function readPublicKey(kid: string, entry: JsonObject): ReadKey | IgnoredKey {
  const stated = entry.n === undefined && entry.e === undefined ? undefined : readRsaJwk(entry)
  if (entry.n !== undefined && stated === undefined) return because(kid, 'refused')
  if (entry.x5c === undefined) {
    return stated === undefined
      ? because(kid, 'malformed')
      : { kid, jwk: stated, validity: undefined }
  }
  const chain = readChain(entry.x5c)
  const [leaf] = chain ?? []
  if (chain === undefined || leaf === undefined) return because(kid, 'malformed')
  const certified = readSubjectPublicKey(leaf.spki)
  if (!certified.ok || certified.value.kty !== 'RSA') return because(kid, 'refused')
  const jwk = certified.value
  if (stated !== undefined && (stated.n !== jwk.n || stated.e !== jwk.e)) {
    return because(kid, 'certificate_mismatch')
  }
  return { kid, jwk, validity: chain.length > 1 ? validityOf(chain) : undefined }
}

/** RFC 7517 §4.7: base64, not base64url, of DER. */
function readChain(x5c: unknown): Certificate[] | undefined {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > MAX_KEY_CHAIN_CERTIFICATES) {
    return undefined
  }
  const chain: Certificate[] = []
  for (const text of x5c as unknown[]) {
    if (typeof text !== 'string' || text.length > MAX_KEY_CERTIFICATE_BYTES * 2) return undefined
    const der = fromBase64(text)
    const certificate = der && parseCertificate(der, MAX_KEY_CERTIFICATE_BYTES)
    if (certificate?.ok !== true) return undefined
    chain.push(certificate.value)
  }
  return chain
}

function validityOf(chain: readonly Certificate[]): { notBefore: Date; notAfter: Date } {
  const from = chain.map(({ notBefore }) => notBefore.getTime())
  const until = chain.map(({ notAfter }) => notAfter.getTime())
  return { notBefore: new Date(Math.max(...from)), notAfter: new Date(Math.min(...until)) }
}

function because(kid: string | undefined, why: IgnoredKey['why']): IgnoredKey {
  return { kid, why }
}
