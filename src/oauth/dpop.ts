import { digestText } from '../base/digest.ts'
import { toBase64Url } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { type ProofFailure, verifyProof } from '../evidence/jws/confirmation.ts'
import { thumbprintOf } from '../evidence/jws/confirmation-key.ts'
import { MAX_DPOP_SECONDS } from './limits.ts'

/** Why a proof that is sound by itself does not do for this request. */
export const DPOP_REASONS = [
  'dpop_missing',
  'dpop_repeated',
  /** Made for another access token, or for none. */
  'dpop_token_mismatch',
  'dpop_nonce_missing',
  'dpop_nonce_refused',
  'dpop_replayed',
] as const

export type DpopFailure =
  | { readonly reason: (typeof DPOP_REASONS)[number]; readonly thumbprint?: string }
  | ProofFailure

/** Algorithms of proofs, as metadata and challenges list them. RFC 9449 §5.1, §7.1 */
export const DPOP_ALGORITHMS = ['ES256', 'PS256', 'RS256'] as const

/** What a request says of itself. */
export type DpopRequest = {
  /** The header `DPoP`; several of them come as one text with commas between (RFC 9110 §5.3). */
  readonly header: string | undefined
  readonly method: string
  readonly url: string
}

/**
 * A proof of some key for this request. Its nonce is to be opened, and its `jti` to be spent until
 * `expiresAt`, which follows from the proof alone.
 */
export type DpopProof = {
  /** RFC 7638. */
  readonly thumbprint: string
  readonly jti: string
  readonly nonce: unknown
  readonly expiresAt: Date
}

/**
 * Verifies a DPoP proof (RFC 9449 §4.3): everything but the nonce, which is the server's, and single use.
 * With an access token the proof must be made for it, and by the key that it is bound to.
 */
export async function verifyDpop(
  { header, method, url }: DpopRequest,
  expected: {
    readonly token?: { readonly text: string; readonly boundTo: string }
    readonly now: Date
    readonly clockSkewSeconds: number
  },
): Promise<Result<DpopProof, DpopFailure>> {
  if (header === undefined) return err({ reason: 'dpop_missing' })
  // A compact JWS has no comma.
  if (header.includes(',')) return err({ reason: 'dpop_repeated' })
  const { token, now, clockSkewSeconds } = expected
  let thumbprint = ''
  const proven = await verifyProof({
    ...{ proof: header, method, url, now, clockSkewSeconds, maxAgeSeconds: MAX_DPOP_SECONDS },
    isExpected(jwk) {
      thumbprint = thumbprintOf(jwk)
      return token === undefined || thumbprint === token.boundTo
    },
  })
  if (!proven.ok) return proven
  const { jti, iat, ath, nonce } = proven.value
  if (token !== undefined && ath !== hashOfToken(token.text)) {
    return err({ reason: 'dpop_token_mismatch' })
  }
  const expiresAt = new Date((Math.ceil(iat) + MAX_DPOP_SECONDS) * 1000)
  return ok({ thumbprint, jti, nonce, expiresAt })
}

/** `ath`: base64url of the SHA-256 of the access token as it was sent. RFC 9449 §4.2 */
export function hashOfToken(token: string): string {
  return toBase64Url(digestText('sha256', token))
}
