import { EncryptJWT, errors, type JWTPayload, jwtDecrypt } from 'jose'
import { err, ok, type Result } from '../../base/result.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'

/** Direct encryption with a key for this purpose alone (RFC 7518 §4.5, §5.3): no second algorithm is taken. */
const ALGORITHM = 'dir'
const ENCRYPTION = 'A256GCM'
const MAX_CHARS = 4096

/** What was sealed with one of `keys` is `malformed` for all others. */
export type UnsealFault = 'malformed' | 'expired'

/** Seals what a browser keeps for us, or brings back: an encrypted JWT (RFC 7519, RFC 7516). */
export function sealClaims(
  claims: JWTPayload,
  { keys, now, until }: { readonly keys: PurposeKeys; readonly now: Date; readonly until: Date },
): Promise<string> {
  return new EncryptJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION })
    .setIssuedAt(now)
    .setExpirationTime(until)
    .encrypt(keys[0])
}

/** The claims of what was sealed for the purpose of `keys`, by the current secret or the one before. */
export async function unsealClaims(
  text: string,
  { keys, now }: { readonly keys: PurposeKeys; readonly now: Date },
): Promise<Result<JWTPayload, { readonly reason: UnsealFault }>> {
  if (text.length > MAX_CHARS) return err({ reason: 'malformed' })
  for (const key of keys) {
    try {
      const { payload } = await jwtDecrypt(text, key, {
        currentDate: now,
        keyManagementAlgorithms: [ALGORITHM],
        contentEncryptionAlgorithms: [ENCRYPTION],
        requiredClaims: ['exp', 'iat'],
      })
      return ok(payload)
    } catch (error) {
      if (error instanceof errors.JWTExpired) return err({ reason: 'expired' })
      if (!(error instanceof errors.JOSEError)) throw error
    }
  }
  return err({ reason: 'malformed' })
}
