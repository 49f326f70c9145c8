import { aboutMember } from '../../base/located.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { TpmKey, TpmKeyFailure } from '../../evidence/tpm/key.ts'
import type { MessageReader } from './message-reader.ts'

export const JWK_REASONS = ['jwk_private', 'jwk_not_rsa'] as const

export type JwkFailure = { readonly reason: (typeof JWK_REASONS)[number]; readonly member: string }

/** RFC 7518 §6: `k` is a symmetric key, the others are private. */
export const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const PUBLIC_MEMBERS = ['n', 'e', 'crv', 'x', 'y'] as const
export const MAX_MEMBER_CHARS = 1_024

/**
 * Reads the public members of a JWK. Whether they make a usable key is for `importTpmKey`; a private
 * key is refused here, because its owner must not go on using it.
 */
export function readPublicJwk(reader: MessageReader): Result<JsonWebKey, JwkFailure> {
  const secret = SECRET_MEMBERS.find((name) => reader.has(name))
  if (secret !== undefined) return err({ reason: 'jwk_private', member: reader.at(secret) })
  const jwk: JsonWebKey = { kty: reader.string('kty', MAX_MEMBER_CHARS) }
  for (const name of PUBLIC_MEMBERS) {
    const value = reader.optionalString(name, MAX_MEMBER_CHARS)
    if (value !== undefined) jwk[name] = value
  }
  return ok(jwk)
}

/** As `readPublicJwk`, for the keys that the protocol wants to be RSA: all but the AIK. */
export function readRsaJwk(reader: MessageReader): Result<JsonWebKey, JwkFailure> {
  const jwk = readPublicJwk(reader)
  if (!jwk.ok || jwk.value.kty === 'RSA') return jwk
  return err({ reason: 'jwk_not_rsa', member: reader.at('kty') })
}

/** The failure of a key that was read at `path` as a JWK, about the member of it that is at fault. */
export function aboutJwk<F extends TpmKeyFailure>(failure: F, path: string): F {
  const { detail } = failure
  const isMember = ['kty', ...PUBLIC_MEMBERS].some((name) => name === detail)
  return aboutMember(failure, isMember ? `${path}.${detail}` : path)
}

/** Whether two keys are one. An imported key has one spelling only, so texts can be compared. */
export function isSameKey(a: TpmKey, b: TpmKey): boolean {
  const members = ['kty', ...PUBLIC_MEMBERS] as const
  return members.every((name) => a.jwk[name] === b.jwk[name])
}
