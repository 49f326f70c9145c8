import { type DeviceId, deviceIdOf } from '../../access/device-id.ts'
import type { Config } from '../../config/config.ts'
import { sealNonce } from '../../evidence/nonce.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'

export type ChallengeDependencies = {
  /** The first seals. */
  readonly sealing: { readonly nonce: PurposeKeys }
  readonly config: Pick<Config, 'challengeTtlSeconds'>
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

/** What a device has its evidence made over. */
export type Challenge = {
  readonly nonce: Uint8Array
  readonly expiresAt: Date
  /** How the device is going to be named, unless its evidence names its TPM. */
  readonly deviceId: DeviceId
}

const RANDOM_BYTES = 16

/**
 * Makes a nonce for one device key: 32 bytes that anybody may name, as nobody has proven the key
 * yet. The nonce carries its own proof, so that nothing is written and nobody is charged, and nobody
 * is refused.
 */
export function issueChallenge(
  { sealing, config, clock, random }: ChallengeDependencies,
  deviceKey: Uint8Array,
): Challenge {
  const expiresAt = new Date(clock().getTime() + config.challengeTtlSeconds * 1000)
  const nonce = sealNonce({
    secret: sealing.nonce[0],
    deviceKey,
    random: random(RANDOM_BYTES),
    expiresAt,
  })
  return { nonce, expiresAt, deviceId: deviceIdOf(deviceKey) }
}
