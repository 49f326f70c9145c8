import type { JSONWebKeySet } from 'jose'
import { signCompactJws } from '../access/compact-jws.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey } from '../keys/signing-keys.ts'
import { ID_TOKEN_ALGORITHM } from '../vendors/oidc/discovery.ts'
import { type FirstKeyMaking, keysWithFirst, type Shared, signerOf } from './key-use.ts'

export type IdTokenServices = {
  /** Signs an ID token for an identity provider. */
  readonly signIdToken: (claims: object) => Promise<string>
  /** What identity providers verify ID tokens with: each key with its certificate, as Entra demands. */
  readonly idTokenKeys: () => Promise<JSONWebKeySet>
}

/**
 * Signs ID tokens, and publishes the keys that they are verified with. The first key is made when somebody asks
 * for either: identity providers read the keys before they send anybody.
 */
export function idTokens(keyRing: KeyRing, input: Shared & FirstKeyMaking): IdTokenServices {
  const { clock } = input
  const use = 'sign-in'
  const keys = () => keysWithFirst(keyRing, input, use)
  return {
    async signIdToken(claims) {
      const key = (await keys()).signingKey(use, clock())
      return signCompactJws(claims, { alg: ID_TOKEN_ALGORITHM, typ: 'JWT', signer: signerOf(key) })
    },
    async idTokenKeys() {
      return { keys: (await keys()).acceptedKeys(use, clock()).map(publish) }
    },
  }
}

function publish({ kid, publicJwk, certificate }: SigningKey) {
  if (certificate === null) throw new TypeError('a key for ID tokens has a certificate')
  return { ...publicJwk, kid, use: 'sig', alg: ID_TOKEN_ALGORITHM, x5c: [certificate], x5t: kid }
}
