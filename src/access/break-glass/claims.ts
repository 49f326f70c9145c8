import { z } from 'zod'
import { isNumericDate } from '../../base/numeric-date.ts'
import { isDeviceId } from '../device-id.ts'
import { MAX_AUDIENCE_CHARS, MAX_ISSUER_CHARS, MAX_REASON_CHARS } from './limits.ts'

/** As `sub`: whatever device a request is about, even one that it does not name. */
export const ALL_DEVICES = '*'

const PREFIX = 'bgl_'
const JTI = /^bgl_[a-z2-7]{26}$/

/** What two people sign must look to both of them like what it is. */
const HIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => value.trim() !== '' && !HIDDEN.test(value), 'must be one line of text')

const time = z.number().refine(isNumericDate)

/**
 * What a break-glass token says. Members that we do not know are refused: who signed them meant
 * something by them.
 */
export const breakGlassSchema = z
  .strictObject({
    /** `bgl_` and the base32 of 16 random bytes. */
    jti: z.string().regex(JTI),
    /** Who made it, in words. Nothing vouches for it but the signatures. */
    iss: text(MAX_ISSUER_CHARS),
    /** The public URL of the one service that it opens, without a final slash. */
    aud: text(MAX_AUDIENCE_CHARS),
    sub: z.string().refine((sub): boolean => sub === ALL_DEVICES || isDeviceId(sub)),
    /** Why, for the log and for whoever signs too. */
    reason: text(MAX_REASON_CHARS),
    /** NumericDate, RFC 7519 §2. It counts from `iat` on. */
    iat: time,
    exp: time,
  })
  .refine(({ iat, exp }) => exp > iat, { path: ['exp'] })

export type BreakGlassClaims = Readonly<z.infer<typeof breakGlassSchema>>

/** `bytes`: 16 random ones, as base32. */
export function breakGlassId(base32: string): string {
  const jti = PREFIX + base32
  if (!JTI.test(jti)) throw new TypeError('an id is the base32 of 16 bytes')
  return jti
}
