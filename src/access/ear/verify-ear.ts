import { err, ok, type Result } from '../../base/result.ts'
import { type CompactJws, decodeCompactJws } from '../../evidence/jws/compact-jws.ts'
import { verifyJwsSignature } from '../../evidence/jws/jws-signature.ts'
import { MAX_TOKEN_CHARS } from '../limits.ts'
import type { ReceiptKeys } from '../receipt/keys.ts'
import { EAR_TYPE } from './ear.ts'
import { type Ear, type EarFailure, readEar } from './read-ear.ts'

export const EAR_TOKEN_REASONS = [
  'ear_not_jws',
  'ear_type_wrong',
  'ear_algorithm_refused',
  'ear_key_unknown',
  'ear_signature_invalid',
  'ear_issuer_differs',
  'ear_expired',
] as const

export type EarTokenFailure =
  | EarFailure
  | { readonly reason: 'ear_not_jws' | 'ear_signature_invalid' }
  | { readonly reason: 'ear_type_wrong'; readonly typ: unknown }
  | { readonly reason: 'ear_algorithm_refused'; readonly alg: unknown }
  | { readonly reason: 'ear_key_unknown'; readonly kid: unknown }
  | { readonly reason: 'ear_issuer_differs'; readonly issuer: string | undefined }
  | { readonly reason: 'ear_expired'; readonly expiredAt: Date }

/** RFC 9782; older verifiers, and those of Veraison, write `JWT` or nothing. */
const TYPES: readonly unknown[] = [EAR_TYPE, `application/${EAR_TYPE}`, 'JWT', undefined]

declare const verified: unique symbol

/** An EAR whose signature, issuer and time hold. Only `verifyEar` makes one. */
export type VerifiedEar = Ear & { readonly [verified]: true }

/**
 * Verifies an EAR by the keys of its issuer, ES256 and nothing else, and reads it. What else these keys sign,
 * such as device tokens and lists of statuses, has a type and no profile, and is refused.
 */
export async function verifyEar(
  token: string,
  options: {
    readonly keys: ReceiptKeys
    /** Absent: whoever has one of the keys. */
    readonly issuer?: string | undefined
    readonly now: Date
  },
): Promise<Result<VerifiedEar, EarTokenFailure>> {
  const { keys, issuer, now } = options
  const jws = token.length > MAX_TOKEN_CHARS ? undefined : decodeCompactJws(token)
  // What is critical (RFC 7515 §4.1.11) could change what all this means.
  if (jws === undefined || Object.hasOwn(jws.header, 'crit')) return err({ reason: 'ear_not_jws' })
  const { typ, alg, kid } = jws.header
  if (!TYPES.includes(typ)) return err({ reason: 'ear_type_wrong', typ })
  if (alg !== 'ES256') return err({ reason: 'ear_algorithm_refused', alg })
  const key = typeof kid === 'string' ? keys.get(kid)?.key : undefined
  if (key === undefined) return err({ reason: 'ear_key_unknown', kid })
  const { signature } = jws
  const isSigned = await verifyJwsSignature({ compact: token, signature, key, algorithm: 'ES256' })
  if (!isSigned) return err({ reason: 'ear_signature_invalid' })
  return checkEar(jws, { issuer, now })
}

function checkEar(
  { payload }: CompactJws,
  { issuer, now }: { readonly issuer: string | undefined; readonly now: Date },
): Result<VerifiedEar, EarTokenFailure> {
  const ear = readEar(payload)
  if (!ear.ok) return ear
  const { expiresAt } = ear.value
  if (issuer !== undefined && ear.value.issuer !== issuer) {
    return err({ reason: 'ear_issuer_differs', issuer: ear.value.issuer })
  }
  if (expiresAt !== undefined && now >= expiresAt) {
    return err({ reason: 'ear_expired', expiredAt: expiresAt })
  }
  return ok(ear.value as VerifiedEar)
}
