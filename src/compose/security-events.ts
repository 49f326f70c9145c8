import { signCompactJws } from '../access/compact-jws.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { EVENT_TOKEN_TYPE } from '../signals/security-event-token.ts'
import { type FirstKeyMaking, makeKeyOnce, type Shared, signerOf } from './key-use.ts'

export type SecurityEventServices = {
  /** Signs the claims of a security event (RFC 8417). Throws where no stream was ever made. */
  readonly signEvent: (claims: object) => Promise<string>
  /** Makes the first key for security events, if there is none. */
  readonly makeEventKey: () => Promise<void>
}

/** Signs security events, by keys of their own that are made with the first stream. */
export function securityEvents(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
): SecurityEventServices {
  const { clock } = input
  const use = 'security-event'
  return {
    async signEvent(claims) {
      const key = (await keyRing.current()).signingKey(use, clock())
      return signCompactJws(claims, { alg: 'RS256', typ: EVENT_TOKEN_TYPE, signer: signerOf(key) })
    },
    makeEventKey: () => makeKeyOnce(keyRing, input, use),
  }
}
