import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { equalBytes } from '../base/digest.ts'
import { toBase64Url, toUtf8 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'

/** Why a nonce is not one of ours, for this device, now. */
export const NONCE_REASONS = ['nonce_malformed', 'nonce_foreign', 'nonce_expired'] as const

export type NonceFailure = {
  readonly reason: (typeof NONCE_REASONS)[number]
  readonly member?: string
  readonly expected?: string
}

/** A nonce that we sealed for this device and that has not expired. Not yet spent. */
export type OpenedNonce = {
  /** base64url of the random part: what is remembered when the nonce is spent. */
  readonly nonceId: string
  readonly expiresAt: Date
}

const PURPOSE = toUtf8('countersign challenge nonce\0')
const VERSION = 1
const EXPIRY_AT = 1
const RANDOM_AT = 5
const MAC_AT = 21
/** Version, expiry, random and seal: the length of every nonce. */
export const NONCE_BYTES = 37
const RANDOM_BYTES = MAC_AT - RANDOM_AT
const MAC_BYTES = NONCE_BYTES - MAC_AT
const DEVICE_KEY_BYTES = 32
const MIN_SECRET_BYTES = 32
const MAX_U32 = 0xffff_ffff

/**
 * Makes a nonce that proves by itself that we made it, for whom and until when, so that a challenge
 * writes nothing: version (1 byte), expiry in seconds (UINT32, big-endian), 16 random bytes, then
 * 16 bytes of HMAC-SHA-256 over purpose, all of these and the device key.
 */
export function sealNonce(input: {
  readonly secret: Uint8Array
  /** SHA-256 of the device's key. */
  readonly deviceKey: Uint8Array
  readonly random: Uint8Array
  /** Kept to the second, rounded down. */
  readonly expiresAt: Date
}): Uint8Array {
  checkKeys(input.secret, input.deviceKey)
  if (input.random.length !== RANDOM_BYTES) throw new TypeError('a nonce has 16 random bytes')
  const seconds = Math.floor(input.expiresAt.getTime() / 1000)
  if (!(seconds >= 0 && seconds <= MAX_U32)) throw new TypeError('the expiry is out of range')
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt8(VERSION, 0)
  nonce.writeUInt32BE(seconds, EXPIRY_AT)
  nonce.set(input.random, RANDOM_AT)
  nonce.set(seal(nonce.subarray(0, MAC_AT), input), MAC_AT)
  return nonce
}

/**
 * Opens a nonce. Nothing in it is believed before its seal fits: neither the device it was made for,
 * which is not written in it, nor the expiry.
 */
export function openNonce(input: {
  /** Every secret that may still have sealed a living nonce. */
  readonly secrets: readonly Uint8Array[]
  readonly deviceKey: Uint8Array
  readonly nonce: Uint8Array
  readonly now: Date
}): Result<OpenedNonce, NonceFailure> {
  const { nonce, deviceKey, secrets } = input
  for (const secret of secrets) checkKeys(secret, deviceKey)
  if (nonce.length !== NONCE_BYTES || nonce[0] !== VERSION)
    return err({ reason: 'nonce_malformed' })
  const head = nonce.subarray(0, MAC_AT)
  const isOurs = secrets.some((secret) =>
    equalBytes(seal(head, { secret, deviceKey }), nonce.subarray(MAC_AT)),
  )
  if (!isOurs) return err({ reason: 'nonce_foreign' })
  const view = new DataView(nonce.buffer, nonce.byteOffset, nonce.byteLength)
  const expiresAt = new Date(view.getUint32(EXPIRY_AT) * 1000)
  if (!(input.now < expiresAt)) return err({ reason: 'nonce_expired' })
  return ok({ nonceId: toBase64Url(nonce.subarray(RANDOM_AT, MAC_AT)), expiresAt })
}

function seal(
  head: Uint8Array,
  keys: { readonly secret: Uint8Array; readonly deviceKey: Uint8Array },
): Uint8Array {
  const secret = keyObjectOf(keys.secret)
  const mac = createHmac('sha256', secret).update(PURPOSE).update(head).update(keys.deviceKey)
  return mac.digest().subarray(0, MAC_BYTES)
}

const keyObjects = new WeakMap<Uint8Array, KeyObject>()

/** Made once for each secret: given bytes, Node makes one each time, at the price of the HMAC. */
function keyObjectOf(secret: Uint8Array): KeyObject {
  const known = keyObjects.get(secret)
  if (known !== undefined) return known
  const made = createSecretKey(secret)
  keyObjects.set(secret, made)
  return made
}

function checkKeys(secret: Uint8Array, deviceKey: Uint8Array): void {
  if (secret.length < MIN_SECRET_BYTES) throw new TypeError('the nonce secret has 32 bytes or more')
  if (deviceKey.length !== DEVICE_KEY_BYTES) throw new TypeError('a device key has 32 bytes')
}
