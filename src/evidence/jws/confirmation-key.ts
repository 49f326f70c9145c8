import { digest } from '../../base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import type { EcPublicKey } from '../x509/public-key.ts'
import { hasPrivateMembers, type RsaPublicKey, readRsaJwk } from '../x509/rsa-public-key.ts'
import { isJsonObject, type JsonObject } from './compact-jws.ts'

/** A key that a device can prove: RSA of at least 2048 bits or P-256, public members alone. */
export type ConfirmationKey = {
  readonly jwk: RsaPublicKey | EcPublicKey
  /** RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string
}

/**
 * Reads the key of a `cnf` claim (RFC 7800 §3.2) or of a proof's header. `undefined` for anything
 * that is not such a key in public form; what else the JSON says of the key is dropped.
 */
export function readConfirmationKey(value: unknown): ConfirmationKey | undefined {
  if (!isJsonObject(value)) return undefined
  const jwk = value.kty === 'EC' ? readEcJwk(value) : readRsaJwk(value)
  if (jwk === undefined) return undefined
  return { jwk, thumbprint: thumbprintOf(jwk) }
}

/** RFC 7638 §3.2: the required members in the order of their names, without white space. */
function thumbprintOf(jwk: ConfirmationKey['jwk']): string {
  const members =
    jwk.kty === 'RSA'
      ? { e: jwk.e, kty: jwk.kty, n: jwk.n }
      : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }
  return toBase64Url(digest('sha256', toUtf8(JSON.stringify(members))))
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
