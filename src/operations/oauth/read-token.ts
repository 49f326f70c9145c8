import { err, type Result } from '../../base/result.ts'
import {
  type AccessTokenFailure,
  type VerifiedAccessToken,
  verifyAccessToken,
} from '../../oauth/access-token.ts'
import { MAX_ACCESS_TOKEN_CHARS } from '../../oauth/limits.ts'
import { peekJwt } from '../../oauth/verify-jwt.ts'

export type OwnTokenDependencies = {
  readonly issuer: string
  /** The key of ours that signs access tokens under this name and is accepted still. Throws `StoreError`. */
  readonly accessTokenKey: (kid: string) => CryptoKey | undefined | Promise<CryptoKey | undefined>
  readonly clock: () => Date
}

/** Verifies a text as an access token of ours, whoever presents it and for what. */
export async function readOwnToken(
  { issuer, accessTokenKey, clock }: OwnTokenDependencies,
  text: string,
): Promise<Result<VerifiedAccessToken, AccessTokenFailure>> {
  const jws = peekJwt(text, MAX_ACCESS_TOKEN_CHARS)
  if (jws === undefined) return err({ reason: 'access_token_malformed' })
  const { kid, alg } = jws.header
  if (alg !== 'ES256') return err({ reason: 'access_token_algorithm_refused' })
  const key = typeof kid === 'string' ? await accessTokenKey(kid) : undefined
  if (key === undefined) return err({ reason: 'access_token_key_unknown' })
  return verifyAccessToken(text, { issuer, key, now: clock() })
}
