import { createHmac, type KeyObject } from 'node:crypto'
import { fromBase64, toBase32 } from '../base/encoding.ts'

/** `dev_` and the base32 of 32 bytes. */
export const DEVICE_ID_PATTERN = /^dev_[a-z2-7]{52}$/

/** What makes a text the id of a device for the compiler. No value has it. */
declare const deviceId: unique symbol

/** `dev_` and the base32 of 32 bytes: see `TrustRecord.deviceId`. Whether there is one is not known. */
export type DeviceId = string & { readonly [deviceId]: true }

/** Names a device by its key: `deviceKey` is the SHA-256 of the public key, known before enrolment. */
export function deviceIdOf(deviceKey: Uint8Array): DeviceId {
  if (deviceKey.length !== 32) throw new TypeError('a device key is a SHA-256 digest')
  return `dev_${toBase32(deviceKey)}` as DeviceId
}

/** Whether a text is the id of a device, by its form. */
export function isDeviceId(text: string): text is DeviceId {
  return DEVICE_ID_PATTERN.test(text)
}

/** The key of a device as agents and administrators write it: base64 of its SHA-256. */
export function parseDeviceKey(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length !== 44) return undefined
  const bytes = fromBase64(text)
  return bytes?.length === 32 ? bytes : undefined
}

/**
 * The stable bucket of a device, 0 to 99, that rollouts go by. `secret` is the service's own: else
 * whoever makes keys could make them until they fall into the first ring, and end each rollout there. A
 * key object is made once: given bytes, Node makes one with every device that attests.
 */
export function ringOf(identity: Uint8Array, secret: KeyObject): number {
  return createHmac('sha256', secret).update(identity).digest().readUInt32BE(0) % 100
}
