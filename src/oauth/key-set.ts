import { err, ok, type Result } from '../base/result.ts'
import { isJsonObject, type JsonObject } from '../evidence/jws/compact-jws.ts'
import { type ProvableJwk, readProvableJwk } from '../evidence/jws/confirmation-key.ts'
import type { JwsAlgorithm } from '../evidence/jws/jws-signature.ts'
import { hasPrivateMembers } from '../evidence/x509/rsa-public-key.ts'
import { MAX_JWKS_KEYS, MAX_TOKEN_NAME_CHARS } from './limits.ts'

/** Why a value is no set of keys that somebody may be known by. */
export const JWKS_REASONS = [
  'jwks_malformed',
  'jwks_too_many',
  'jwks_private_key',
  'jwks_key_repeated',
  'jwks_empty',
] as const

export type JwksFailure = {
  readonly reason: (typeof JWKS_REASONS)[number]
  readonly member?: string
}

/** A public key that signatures of somebody else are verified with: RSA of 2048 bits or more, or P-256. */
export type VerifyingKey = {
  readonly kid: string | undefined
  readonly jwk: ProvableJwk
  /** What it may be used for: one algorithm where the set says so, else those of its kind. */
  readonly algorithms: readonly JwsAlgorithm[]
}

export type VerifyingKeys = {
  readonly keys: readonly VerifyingKey[]
  /** Places of keys that are of another kind or for another use: they verify nothing here. */
  readonly ignored: readonly number[]
}

/** RFC 8725 §3.1: no algorithm with a shared secret, no `none`, and each only for keys of its kind. */
const ALGORITHMS: Readonly<Record<ProvableJwk['kty'], readonly JwsAlgorithm[]>> = {
  RSA: ['PS256', 'RS256'],
  EC: ['ES256'],
}

/** Every algorithm that somebody may sign an assertion or a token with. */
export const VERIFYING_ALGORITHMS: readonly JwsAlgorithm[] = ['ES256', 'PS256', 'RS256']

/**
 * Reads a JWK set (RFC 7517 §5). What of it is not a key for signatures of a kind that is accepted here is
 * left out; a private key refuses the whole, as whoever publishes one has no secret any more.
 */
export function readJwks(value: unknown): Result<VerifyingKeys, JwksFailure> {
  if (!isJsonObject(value) || !Array.isArray(value.keys)) return err({ reason: 'jwks_malformed' })
  const entries: readonly unknown[] = value.keys
  if (entries.length > MAX_JWKS_KEYS) return err({ reason: 'jwks_too_many' })
  const keys: VerifyingKey[] = []
  const ignored: number[] = []
  for (const [index, entry] of entries.entries()) {
    const member = `keys.${index}`
    if (!isJsonObject(entry)) return err({ reason: 'jwks_malformed', member })
    if (hasPrivateMembers(entry)) return err({ reason: 'jwks_private_key', member })
    const key = readKey(entry)
    if (key === undefined) ignored.push(index)
    else if (keys.some(({ kid }) => kid === key.kid)) {
      return err({ reason: 'jwks_key_repeated', member })
    } else keys.push(key)
  }
  return keys.length === 0 ? err({ reason: 'jwks_empty' }) : ok({ keys, ignored })
}

/** The key that a header names. Without `kid` there has to be one key and no choice (RFC 7515 §4.1.4). */
export function findKey(
  keys: readonly VerifyingKey[],
  kid: string | undefined,
): VerifyingKey | undefined {
  if (kid !== undefined) return keys.find((key) => key.kid === kid)
  return keys.length === 1 ? keys[0] : undefined
}

function readKey(entry: JsonObject): VerifyingKey | undefined {
  const { kid, alg, use, key_ops: operations } = entry
  const jwk = readProvableJwk(entry)
  if (jwk === undefined || (use !== undefined && use !== 'sig')) return undefined
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined
  if (kid !== undefined && !isKeyId(kid)) return undefined
  const algorithms = ALGORITHMS[jwk.kty].filter((known) => alg === undefined || alg === known)
  return algorithms.length === 0 ? undefined : { kid, jwk, algorithms }
}

function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TOKEN_NAME_CHARS
}
