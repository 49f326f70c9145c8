import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { type Compared, comparison } from '../../base/comparison.ts'
import { digest, equalBytes } from '../../base/digest.ts'
import { textFromBase64Url, toBase64Url, toHex, toUtf8 } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { CHALLENGE_BYTES, CONTEXT_IV_BYTES, MAX_SERVICE_CONTEXT_CHARS } from '../limits.ts'
import { readMessage } from './message-reader.ts'

export const CONTEXT_REASONS = [
  'context_malformed',
  'context_foreign',
  'context_forged',
  'context_expired',
  'context_challenge_mismatch',
  'context_spent',
] as const

export type ContextFailure = { readonly member?: string } & (
  | { readonly reason: Exclude<(typeof CONTEXT_REASONS)[number], 'context_challenge_mismatch'> }
  | ({ readonly reason: 'context_challenge_mismatch' } & Compared)
)

/** A device that uses up service contexts faster than it may attest. */
export const CONTEXT_LIMIT_REASONS = ['context_rate_limited'] as const

export type ContextLimitFailure = {
  readonly reason: (typeof CONTEXT_LIMIT_REASONS)[number]
  readonly retryAfterSeconds: number
}

/** The use of a service context by a message whose attestation key answered its challenge. */
export type ContextUse = {
  /** The challenge in base64url: no two contexts have one. */
  readonly contextId: string
  readonly expiresAt: Date
  /** SHA-256 of the attestation key. */
  readonly deviceKey: Uint8Array
  /** Whether a trust anchor vouches for that key. */
  readonly isVouchedFor: boolean
}

/**
 * Uses up a service context, for good and for all processes: of any number of calls with one
 * `contextId` exactly one is answered `ok`. What it throws is thrown.
 */
export type SpendContext = (
  use: ContextUse,
) => Promise<Result<true, ContextFailure | ContextLimitFailure>>

/** What a service context carries from the first message to the second. */
export type ServiceContext = {
  readonly challenge: Uint8Array
  readonly expiresAt: Date
}

const KEY_BYTES = 32
const TAG_BYTES = 16
const EXPIRY_BYTES = 8
const PLAIN_BYTES = CHALLENGE_BYTES + EXPIRY_BYTES
const CIPHER = 'aes-256-gcm'

/**
 * Seals a challenge so that the service need not remember it: base64url of the JSON
 * `{"ProtectionKeyName": 64 hex digits, "ProtectedContext": base64url}` as Azure Attestation's, the
 * latter being IV, AES-256-GCM ciphertext and tag. `iv` must be fresh randomness.
 */
export function sealServiceContext(input: {
  readonly context: ServiceContext
  readonly key: Uint8Array
  readonly iv: Uint8Array
}): string {
  const { context, iv } = input
  const { name, key } = protectionKeyOf(input.key)
  if (iv.length !== CONTEXT_IV_BYTES)
    throw new TypeError(`a service context needs ${CONTEXT_IV_BYTES} IV bytes`)
  if (context.challenge.length !== CHALLENGE_BYTES) throw new TypeError('wrong challenge length')
  const plain = Buffer.alloc(PLAIN_BYTES)
  plain.set(context.challenge)
  plain.writeBigUInt64BE(BigInt(context.expiresAt.getTime()), CHALLENGE_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(toUtf8(name))
  const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  const text = { ProtectionKeyName: name, ProtectedContext: toBase64Url(sealed) }
  return toBase64Url(toUtf8(JSON.stringify(text)))
}

/**
 * Opens a service context that came back from an agent: by the key that its name names among
 * `keys`, authenticated, not past its expiry, and sealed over the challenge that came with it.
 */
export function openServiceContext(input: {
  readonly text: string
  /** The challenge that the agent says it answers. */
  readonly challenge: Uint8Array
  /** Every key that may still have sealed a living context. */
  readonly keys: readonly Uint8Array[]
  readonly now: Date
}): Result<ServiceContext, ContextFailure> {
  const envelope = readEnvelope(input.text)
  if (envelope === undefined) return err({ reason: 'context_malformed' })
  const known = input.keys.map(protectionKeyOf).find(({ name }) => name === envelope.name)
  if (known === undefined) return err({ reason: 'context_foreign' })
  const plain = decrypt(known.key, envelope)
  if (plain === undefined) return err({ reason: 'context_forged' })
  const expiresAt = new Date(Number(plain.readBigUInt64BE(CHALLENGE_BYTES)))
  if (input.now.getTime() >= expiresAt.getTime()) return err({ reason: 'context_expired' })
  const challenge = plain.subarray(0, CHALLENGE_BYTES)
  if (!equalBytes(challenge, input.challenge)) {
    const compared = () => [comparison('challenge', challenge, input.challenge)]
    return err({ reason: 'context_challenge_mismatch', compared })
  }
  return ok({ challenge, expiresAt })
}

/** Whether a service context names one of `keys` as its own. Says nothing about its being genuine. */
export function isSealedBy(text: string, keys: readonly Uint8Array[]): boolean {
  const name = readEnvelope(text)?.name
  return name !== undefined && keys.some((key) => protectionKeyOf(key).name === name)
}

/** Whether a text has the form of a service context, ours or Azure Attestation's. */
export function hasContextForm(text: string): boolean {
  const json = text.length > MAX_SERVICE_CONTEXT_CHARS ? undefined : textFromBase64Url(text)
  if (json === undefined) return false
  return readMessage('service_context', json, (message) => {
    message.string('ProtectionKeyName', 2 * KEY_BYTES)
    message.bytes('ProtectedContext', MAX_SERVICE_CONTEXT_CHARS)
  }).ok
}

type Envelope = { readonly name: string; readonly sealed: Uint8Array }

function readEnvelope(text: string): Envelope | undefined {
  if (text.length > MAX_SERVICE_CONTEXT_CHARS) return undefined
  const json = textFromBase64Url(text)
  if (json === undefined) return undefined
  const envelope = readMessage('service_context', json, (message) => ({
    name: message.string('ProtectionKeyName', 2 * KEY_BYTES),
    sealed: message.bytes('ProtectedContext', CONTEXT_IV_BYTES + PLAIN_BYTES + TAG_BYTES),
  }))
  if (!envelope.ok) return undefined
  const complete = envelope.value.sealed.length === CONTEXT_IV_BYTES + PLAIN_BYTES + TAG_BYTES
  return complete ? envelope.value : undefined
}

function decrypt(key: KeyObject, envelope: Envelope): Buffer | undefined {
  const { name, sealed } = envelope
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, CONTEXT_IV_BYTES))
  decipher.setAAD(toUtf8(name))
  decipher.setAuthTag(sealed.subarray(CONTEXT_IV_BYTES + PLAIN_BYTES))
  const plain = decipher.update(sealed.subarray(CONTEXT_IV_BYTES, CONTEXT_IV_BYTES + PLAIN_BYTES))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return undefined
  }
}

type ProtectionKey = { readonly name: string; readonly key: KeyObject }

/** What follows from the bytes of a key alone, which costs as much as opening a context. */
const prepared = new WeakMap<Uint8Array, ProtectionKey>()

/**
 * A key by the name that contexts give it: upper-case hex as Azure writes it. A digest of 256 random
 * bits tells nothing about them.
 */
function protectionKeyOf(bytes: Uint8Array): ProtectionKey {
  const known = prepared.get(bytes)
  if (known !== undefined) return known
  if (bytes.length !== KEY_BYTES)
    throw new TypeError(`a service context key has ${KEY_BYTES} bytes`)
  const name = toHex(digest('sha256', toUtf8('countersign service context key\0'), bytes))
  const key = { name: name.toUpperCase(), key: createSecretKey(bytes) }
  prepared.set(bytes, key)
  return key
}
