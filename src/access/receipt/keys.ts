import { err, ok, type Result } from '../../base/result.ts'
import { isJsonObject } from '../../evidence/jws/compact-jws.ts'
import { importJwsKey } from '../../evidence/jws/jws-signature.ts'
import type { KeySetFailure } from '../../evidence/jws/key-set.ts'
import type { VerificationKey } from '../../evidence/jws/verify-signature.ts'
import { MAX_RECEIPT_KEYS } from './limits.ts'

/** The keys of one issuer by `kid`. As trustworthy as the place that the set came from. */
export type ReceiptKeys = ReadonlyMap<string, ReceiptKey>

export type ReceiptKey = { readonly key: VerificationKey; readonly cryptoKey: CryptoKey }

type EcJwk = { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }

/**
 * Imports the ES256 keys of a JSON Web Key Set (RFC 7517 §5), as at `/.well-known/jwks.json`. Keys
 * of other kinds, private ones and those that are no point of the curve are passed over; a `kid`
 * that names two different keys names none.
 */
export async function importReceiptKeys(
  json: unknown,
): Promise<Result<ReceiptKeys, KeySetFailure>> {
  const list = isJsonObject(json) ? json.keys : undefined
  if (!Array.isArray(list)) return err({ reason: 'key_set_malformed', ignored: [] })
  if (list.length > MAX_RECEIPT_KEYS) return err({ reason: 'key_set_too_large', ignored: [] })
  const byKid = new Map<string, EcJwk | 'ambiguous'>()
  for (const entry of list as unknown[]) {
    const read = readKey(entry)
    if (read === undefined) continue
    const [kid, jwk] = read
    const known = byKid.get(kid)
    const isOther = known !== undefined && !isSamePoint(known, jwk)
    byKid.set(kid, isOther ? 'ambiguous' : jwk)
  }
  const keys = new Map<string, ReceiptKey>()
  for (const [kid, jwk] of byKid) {
    const key = jwk === 'ambiguous' ? undefined : await importKey(jwk)
    if (key !== undefined) keys.set(kid, key)
  }
  return keys.size === 0 ? err({ reason: 'key_set_empty', ignored: [] }) : ok(keys)
}

function isSamePoint(known: EcJwk | 'ambiguous', { x, y }: EcJwk): boolean {
  return known !== 'ambiguous' && known.x === x && known.y === y
}

function readKey(entry: unknown): readonly [string, EcJwk] | undefined {
  if (!isJsonObject(entry)) return undefined
  const { kid, kty, crv, x, y, d, use, alg } = entry
  if (typeof kid !== 'string' || kty !== 'EC' || crv !== 'P-256' || d !== undefined)
    return undefined
  if ((use !== undefined && use !== 'sig') || (alg !== undefined && alg !== 'ES256'))
    return undefined
  if (typeof x !== 'string' || typeof y !== 'string') return undefined
  return [kid, { kty, crv, x, y }]
}

async function importKey(jwk: EcJwk): Promise<ReceiptKey | undefined> {
  try {
    const cryptoKey = await crypto.subtle.importKey('jwk', { ...jwk }, ES256, false, ['verify'])
    return { key: await importJwsKey(jwk, 'ES256'), cryptoKey }
  } catch {
    return undefined
  }
}
