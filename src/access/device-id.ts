import { toBase32 } from '../encoding.ts'

const PATTERN = /^dev_[a-z2-7]{52}$/

/** Names a device by its key: `deviceKey` is the SHA-256 of the public key, known before enrolment. */
export function deviceIdOf(deviceKey: Uint8Array): string {
  if (deviceKey.length !== 32) throw new TypeError('a device key is a SHA-256 digest')
  return `dev_${toBase32(deviceKey)}`
}

export function isDeviceId(text: string): boolean {
  return PATTERN.test(text)
}
