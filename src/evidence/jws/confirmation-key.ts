import { digest } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import type { EcPublicKey } from '../x509/public-key.ts'
import { hasPrivateMembers, type RsaPublicKey, readRsaJwk } from '../x509/rsa-public-key.ts'
import { isJsonObject, type JsonObject } from './compact-jws.ts'

/** Not exported, so that no other file can make a `ConfirmationKey`. */
const read: unique symbol = Symbol('read')

/**
 * A key that a device can prove: RSA of at least 2048 bits or P-256, public members alone. Only
 * `readConfirmationKey` makes one. That somebody holds it is still to be proven.
 */
export type ConfirmationKey = {
  readonly [read]: true
  readonly jwk: ProvableJwk
  readonly thumbprint: KeyThumbprint
}

/** What makes a text a thumbprint for the compiler. No value has it. */
declare const thumbprint: unique symbol

/** RFC 7638, SHA-256, base64url, of a key that was read. */
export type KeyThumbprint = string & { readonly [thumbprint]: true }

/** RSA or P-256 in the one text that stands for the key (RFC 7638 §3.2). */
export type ProvableJwk = RsaPublicKey | EcPublicKey

/**
 * Reads the key of a `cnf` claim (RFC 7800 §3.2). `undefined` for anything that is not such a key in
 * public form; what else the JSON says of the key is dropped.
 */
export function readConfirmationKey(value: unknown): ConfirmationKey | undefined {
  const jwk = readProvableJwk(value)
  return jwk && { [read]: true, jwk, thumbprint: thumbprintOf(jwk) }
}

/** The same of any key that may be the one of a `cnf` claim, such as that of a proof's header. */
export function readProvableJwk(value: unknown): ProvableJwk | undefined {
  if (!isJsonObject(value)) return undefined
  return value.kty === 'EC' ? readEcJwk(value) : readRsaJwk(value)
}

/** Whether the thumbprints of both are one: they are over these members and nothing else. */
export function isSameJwk(a: ProvableJwk, b: ProvableJwk): boolean {
  if (a.kty === 'RSA') return b.kty === 'RSA' && a.n === b.n && a.e === b.e
  return b.kty === 'EC' && a.crv === b.crv && a.x === b.x && a.y === b.y
}

/** RFC 7638 §3.2: the required members in the order of their names, without white space. */
export function thumbprintOf(jwk: ProvableJwk): KeyThumbprint {
  const members =
    jwk.kty === 'RSA'
      ? { e: jwk.e, kty: jwk.kty, n: jwk.n }
      : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }
  return toBase64Url(digest('sha256', toUtf8(JSON.stringify(members)))) as KeyThumbprint
}

function readEcJwk(value: JsonObject): EcPublicKey | undefined {
  const { crv, x, y } = value
  if (crv !== 'P-256' || hasPrivateMembers(value)) return undefined
  return isCoordinate(x) && isCoordinate(y) ? { kty: 'EC', crv, x, y } : undefined
}

/** RFC 7518 §6.2.1.2: the full size of a coordinate, in the one text that stands for it. */
function isCoordinate(value: unknown): value is string {
  if (typeof value !== 'string' || value.length !== 43) return false
  const bytes = fromBase64Url(value)
  return bytes !== undefined && Buffer.from(bytes).toString('base64url') === value
}
