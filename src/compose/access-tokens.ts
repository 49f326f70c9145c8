import type { KeyRing } from '../keys/key-ring.ts'
import { type AccessToken, issueAccessToken } from '../oauth/access-token.ts'
import {
  type FirstKeyMaking,
  importPublicKey,
  type Maybe,
  makeKeyOnce,
  onceEach,
  type Shared,
  signerOf,
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
  const verificationKeyOf = onceEach(importPublicKey)
  return {
    async signAccessToken(token) {
      if ((await keyRing.current()).rows(use).length === 0) await makeKeyOnce(keyRing, input, use)
      const key = (await keyRing.current()).signingKey(use, clock())
      return issueAccessToken(token, { issuer, signer: signerOf(key) })
    },
    accessTokenKey(kid) {
      const key = keyRing.keyOf(use, kid)
      if (key instanceof Promise) return key.then((found) => found && verificationKeyOf(found))
      return key && verificationKeyOf(key)
    },
  }
}
