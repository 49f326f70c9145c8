import { toBase64Url } from '../../base/encoding.ts'
import { type JwsSigner, signCompactJws } from '../compact-jws.ts'
import { STATUS_BITS } from './statuses.ts'

/** draft-ietf-oauth-status-list §5.1 */
export const STATUS_LIST_TYPE = 'statuslist+jwt'

/** Where the list is, under our URL. */
export const STATUS_LIST_PATH = '/v1/status-list'

/** What a device token says of where its status stands. draft-ietf-oauth-status-list §6.2 */
export type StatusClaim = {
  readonly status_list: { readonly idx: number; readonly uri: string }
}

export function statusClaim(index: number, issuer: string): StatusClaim {
  return { status_list: { idx: index, uri: issuer + STATUS_LIST_PATH } }
}

/**
 * The fleet as one signed object. It counts until `ttlSeconds` after `issuedAt`, and may be cached until
 * then and no longer: `exp` is the end of `ttl`, so that no copy anywhere is older than that.
 */
export function signStatusList(
  list: StatusListToSign,
  { issuer, signer }: { readonly issuer: string; readonly signer: JwsSigner },
): Promise<string> {
  const iat = Math.floor(list.issuedAt.getTime() / 1000)
  const payload = {
    iss: issuer,
    sub: issuer + STATUS_LIST_PATH,
    iat,
    exp: iat + list.ttlSeconds,
    ttl: list.ttlSeconds,
    status_list: { bits: STATUS_BITS, lst: toBase64Url(list.compressed) },
  }
  return signCompactJws(payload, { typ: STATUS_LIST_TYPE, signer })
}

export type StatusListToSign = {
  /** All statuses, compressed (zlib, RFC 1950). */
  readonly compressed: Uint8Array
  /** Of when the statuses are, at the least. */
  readonly issuedAt: Date
  readonly ttlSeconds: number
}
