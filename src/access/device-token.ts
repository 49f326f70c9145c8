import { errors, type JWTPayload, jwtVerify } from 'jose'
import { isNumericDate } from '../base/numeric-date.ts'
import { err, ok, type Result } from '../base/result.ts'
import { decodeCompactJws } from '../evidence/jws/compact-jws.ts'
import { type JwsSigner, signCompactJws } from './compact-jws.ts'
import { MAX_TOKEN_CHARS } from './limits.ts'
import { statusClaim } from './status-list/list-token.ts'
import type { TrustRecord } from './trust-record.ts'

/**
 * The device token: who the device is, for whoever asks about it later. It carries no verdict,
 * because the verdict is looked up when a decision is made, and it is bound to the key that the
 * device proved (RFC 7800 `cnf`, `jkt` of RFC 9449 §6.1).
 *
 * It lives as long as its key: it counts while the record has that key and its generation, which is
 * looked up with the verdict (`checkTokenStanding`).
 */
export const DEVICE_TOKEN_TYPE = 'countersign-device+jwt'

export const DEVICE_TOKEN_REASONS = ['device_token_invalid', 'device_token_expired'] as const

export type DeviceTokenFailure = { readonly reason: (typeof DEVICE_TOKEN_REASONS)[number] }

export const TOKEN_STANDING_REASONS = [
  /** The device has proven another key since. */
  'device_token_key_replaced',
  /** Signed out, quarantined, released, or another key came and went since. */
  'device_token_superseded',
] as const

export type TokenStandingFailure = { readonly reason: (typeof TOKEN_STANDING_REASONS)[number] }

export type DeviceTokenClaims = {
  readonly deviceId: string
  /** RFC 7638 thumbprint of the proven key. */
  readonly confirmationKey: string
  /** Of the trust record when it was issued. */
  readonly generation: number
  /** Where its status stands in the list of statuses; absent where there is no list. */
  readonly statusIndex?: number | undefined
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly jti: string
}

export function issueDeviceToken(
  claims: DeviceTokenClaims,
  options: { readonly issuer: string; readonly signer: JwsSigner },
): Promise<string> {
  const { issuer, signer } = options
  const payload: JWTPayload = {
    iss: issuer,
    aud: issuer,
    sub: claims.deviceId,
    jti: claims.jti,
    iat: toSeconds(claims.issuedAt),
    exp: toSeconds(claims.expiresAt),
    cnf: { jkt: claims.confirmationKey },
    generation: claims.generation,
    ...(claims.statusIndex !== undefined && { status: statusClaim(claims.statusIndex, issuer) }),
  }
  return signCompactJws(payload, { typ: DEVICE_TOKEN_TYPE, signer })
}

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

declare const verified: unique symbol

/**
 * What a device token says whose signature, issuer and time are verified. Whether it still counts is
 * not known, and its holder has proven nothing yet. Only `verifyDeviceToken` makes one.
 */
export type VerifiedDeviceToken = Pick<
  DeviceTokenClaims,
  'deviceId' | 'confirmationKey' | 'generation'
> & { readonly [verified]: true }

/** Verifies a device token against the keys of this issuer. Reads nothing but the token. */
export async function verifyDeviceToken(
  token: string,
  options: {
    readonly issuer: string
    /** The key of a `kid` that we publish, or `undefined`. */
    readonly keyOf: (kid: string) => CryptoKey | undefined | Promise<CryptoKey | undefined>
    readonly now: Date
  },
): Promise<Result<VerifiedDeviceToken, DeviceTokenFailure>> {
  // The library reads past white space, which whoever recomputes a receipt does not.
  if (token.length > MAX_TOKEN_CHARS || decodeCompactJws(token) === undefined) {
    return err({ reason: 'device_token_invalid' })
  }
  try {
    const { payload } = await jwtVerify(
      token,
      async (header) => {
        const key = await options.keyOf(header.kid ?? '')
        if (key === undefined) throw new errors.JWKSNoMatchingKey()
        return key
      },
      {
        algorithms: ['ES256'],
        typ: DEVICE_TOKEN_TYPE,
        issuer: options.issuer,
        audience: options.issuer,
        requiredClaims: ['sub', 'exp', 'cnf', 'generation'],
        currentDate: options.now,
      },
    )
    // The library rounds the time down, which a fraction of a second in `exp` would outlive.
    if (!isNumericDate(payload.exp)) return err({ reason: 'device_token_invalid' })
    if (!(options.now.getTime() / 1000 < payload.exp))
      return err({ reason: 'device_token_expired' })
    const jkt: unknown = Object(payload.cnf).jkt
    const { sub, generation } = payload
    if (typeof sub !== 'string' || typeof jkt !== 'string' || !Number.isSafeInteger(generation)) {
      return err({ reason: 'device_token_invalid' })
    }
    const told = { deviceId: sub, confirmationKey: jkt, generation: Number(generation) }
    return ok(told as VerifiedDeviceToken)
  } catch (error) {
    if (error instanceof errors.JWTExpired) return err({ reason: 'device_token_expired' })
    if (error instanceof errors.JOSEError) return err({ reason: 'device_token_invalid' })
    throw error
  }
}

/** Holds a verified device token against the record of the device that it names. */
export function checkTokenStanding(
  token: VerifiedDeviceToken,
  record: Pick<TrustRecord, 'generation' | 'attestation'>,
): Result<null, TokenStandingFailure> {
  if (record.attestation?.confirmationKey !== token.confirmationKey) {
    return err({ reason: 'device_token_key_replaced' })
  }
  if (record.generation !== token.generation) return err({ reason: 'device_token_superseded' })
  return ok(null)
}
