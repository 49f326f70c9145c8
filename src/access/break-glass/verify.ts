import { ok, type Result } from '../../base/result.ts'
import type { DeviceNameFailure } from '../device-of-request.ts'
import { ALL_DEVICES, type BreakGlassClaims } from './claims.ts'
import { type BreakGlassFailure, refused } from './failure.ts'
import { type BreakGlassKey, type BreakGlassKeys, ED25519 } from './keys.ts'
import { type BreakGlassSignature, decodeBreakGlass } from './token.ts'

/**
 * Break-glass: the way in when the policy, the verifier, the database or the identity provider
 * keeps everybody out. Several people sign offline what may pass, for minutes; the service needs
 * nothing but the public keys of its settings to believe them.
 *
 * What it cannot know: quarantines are in the database, so a token opens for a quarantined device
 * as for any other, and so is all that would tell whether a token was used before: it is good as
 * often as it is shown until it expires, and cannot be called back but by taking keys from the
 * settings. Hence it is short, names its device and its reason, and is logged loudly.
 */
export type BreakGlassRules = {
  readonly keys: BreakGlassKeys
  /** How many different keys must have signed: 1 or more. */
  readonly threshold: number
  /** The `aud` that is ours: our public URL. */
  readonly audience: string
  /** The longest time from `iat` to `exp`. */
  readonly maxSeconds: number
  /** By how much the clock that a token was made by may be wrong. */
  readonly skewSeconds: number
}

declare const verified: unique symbol

/**
 * A token that enough people signed, for us and for now. Whether it is for a device is left. Only
 * `verifyBreakGlass` makes one.
 */
export type VerifiedBreakGlass = {
  readonly claims: BreakGlassClaims
  /** Of the keys that count, as the settings call them. */
  readonly kids: readonly string[]
  readonly [verified]: true
}

/** Verifies a token by the configured keys: nothing in a token chooses or brings a key. */
export async function verifyBreakGlass(
  token: string,
  options: {
    /** Absent where nobody has configured break-glass. */
    readonly rules: BreakGlassRules | undefined
    readonly now: Date
  },
): Promise<Result<VerifiedBreakGlass, BreakGlassFailure>> {
  const { rules, now } = options
  if (rules === undefined) return refused('break_glass_not_configured')
  const decoded = decodeBreakGlass(token)
  if (!decoded.ok) return decoded
  const { claims, signatures } = decoded.value
  const signers = await verifySignatures(signatures, rules, now)
  if (!signers.ok) return signers
  const kids = [...signers.value.values()]
  if (kids.length < rules.threshold) return refused('break_glass_too_few_signatures')
  const wrong = wrongWith(claims, rules, now)
  if (wrong !== undefined) return refused(wrong, { jti: claims.jti })
  const shown: Omit<VerifiedBreakGlass, typeof verified> = { claims, kids }
  return ok(shown as VerifiedBreakGlass)
}

/** Whether a token that is verified opens for what a request says of its device. */
export function opensFor(
  { jti, sub }: BreakGlassClaims,
  device: Result<string, DeviceNameFailure>,
): Result<true, BreakGlassFailure> {
  const isOpen = sub === ALL_DEVICES || (device.ok && device.value === sub)
  return isOpen ? ok(true) : refused('break_glass_wrong_device', { jti })
}

export type SignatureState = 'valid' | 'invalid' | 'unknown_key'

/** What one signature is worth under these keys. */
export async function checkSignature(
  { kid, signature, message }: BreakGlassSignature,
  keys: BreakGlassKeys,
): Promise<SignatureState> {
  const known = keys.get(kid)
  if (known === undefined) return 'unknown_key'
  const isValid = await crypto.subtle.verify(ED25519, known.key, signature, message)
  return isValid ? 'valid' : 'invalid'
}

/**
 * Who signed: thumbprint to kid, so that a key counts once under whatever names it stands. One that has ended
 * does not count, whenever it signed: what a token says of when that was is its signer's word.
 */
async function verifySignatures(
  signatures: readonly BreakGlassSignature[],
  { keys, skewSeconds }: BreakGlassRules,
  now: Date,
): Promise<Result<ReadonlyMap<string, string>, BreakGlassFailure>> {
  const signers = new Map<string, string>()
  for (const one of signatures) {
    const state = await checkSignature(one, keys)
    // The first wrong one ends the work: who has no key can make us try no more than that.
    if (state === 'invalid') return refused('break_glass_signature_invalid')
    const known = keys.get(one.kid)
    // Somebody else's, such as a key that was taken from the settings, neither helps nor harms.
    if (known === undefined || hasEnded(known, skewSeconds, now)) continue
    signers.set(known.thumbprint, known.kid)
  }
  return ok(signers)
}

function hasEnded(
  { expiresAt }: Pick<BreakGlassKey, 'expiresAt'>,
  skewSeconds: number,
  now: Date,
): boolean {
  return expiresAt !== undefined && now.getTime() >= expiresAt.getTime() + skewSeconds * 1000
}

function wrongWith(
  { aud, iat, exp }: BreakGlassClaims,
  { audience, maxSeconds, skewSeconds }: BreakGlassRules,
  now: Date,
): BreakGlassFailure['reason'] | undefined {
  const seconds = now.getTime() / 1000
  if (aud !== audience) return 'break_glass_wrong_audience'
  if (exp - iat > maxSeconds) return 'break_glass_lifetime_too_long'
  if (seconds < iat - skewSeconds) return 'break_glass_not_yet_valid'
  // Written so that a time that is not a number is too late.
  return seconds < exp + skewSeconds ? undefined : 'break_glass_expired'
}
