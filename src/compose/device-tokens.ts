import {
  type DeviceTokenClaims,
  type DeviceTokenFailure,
  issueDeviceToken,
  type VerifiedDeviceToken,
  verifyDeviceToken,
} from '../access/device-token.ts'
import { type StatusListToSign, signStatusList } from '../access/status-list/list-token.ts'
import type { Result } from '../base/result.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey } from '../keys/signing-keys.ts'
import {
  importPublicKey,
  type Maybe,
  onceEach,
  type Shared,
  signerOf,
  verifyingKeys,
} from './key-use.ts'

export type DeviceTokenServices = {
  readonly issueDeviceToken: (claims: DeviceTokenClaims) => Promise<string>
  /** By the key that device tokens are signed with: who can verify one can verify the other. */
  readonly signStatusList: (list: StatusListToSign) => Promise<string>
  readonly verifyDeviceToken: VerifyDeviceToken
  /** The same by the keys that are at hand: what has to answer without a store asks this. */
  readonly verifyDeviceTokenOffline: VerifyDeviceToken
}

type VerifyDeviceToken = (token: string) => Promise<Result<VerifiedDeviceToken, DeviceTokenFailure>>

/** Signs and verifies device tokens, and signs the list of their statuses. */
export function deviceTokens(keyRing: KeyRing, { issuer, clock }: Shared): DeviceTokenServices {
  const imported = onceEach(importPublicKey)
  const verifyWith = (find: (kid: string) => Maybe<SigningKey>): VerifyDeviceToken => {
    const keyOf = verifyingKeys(find, imported)
    return (token) => verifyDeviceToken(token, { issuer, keyOf, now: clock() })
  }
  return {
    async issueDeviceToken(claims: DeviceTokenClaims) {
      const key = (await keyRing.current()).signingKey('device-token', clock())
      return issueDeviceToken(claims, { issuer, signer: signerOf(key) })
    },
    async signStatusList(list) {
      const key = (await keyRing.current()).signingKey('device-token', clock())
      return signStatusList(list, { issuer, signer: signerOf(key) })
    },
    verifyDeviceToken: verifyWith((kid) => keyRing.keyOf('device-token', kid)),
    verifyDeviceTokenOffline: verifyWith((kid) =>
      keyRing.latest().acceptedKey('device-token', kid, clock()),
    ),
  }
}
