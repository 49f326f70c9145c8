import type { KeyRing } from '../keys/key-ring.ts'
import { type AccessToken, issueAccessToken } from '../oauth/access-token.ts'
import {
  type FirstKeyMaking,
  importPublicKey,
  keysWithFirst,
  type Maybe,
  onceEach,
  type Shared,
  signerOf,
  verifyingKeys,
} from './key-use.ts'

export type AccessTokenServices = {
  /** Signs an access token (RFC 9068); makes the first key for them, if there is none. */
  readonly signAccessToken: (token: AccessToken) => Promise<string>
  /** The key of ours that access tokens name and that is accepted still. Throws `StoreError`. */
  readonly accessTokenKey: (kid: string) => Maybe<CryptoKey>
}

/** Signs access tokens, and finds the keys that they are verified with. */
export function accessTokens(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
): AccessTokenServices {
  const { issuer, clock } = input
  const use = 'access-token'
  return {
    async signAccessToken(token) {
      const key = (await keysWithFirst(keyRing, input, use)).signingKey(use, clock())
      return issueAccessToken(token, { issuer, signer: signerOf(key) })
    },
    accessTokenKey: verifyingKeys((kid) => keyRing.keyOf(use, kid), onceEach(importPublicKey)),
  }
}
