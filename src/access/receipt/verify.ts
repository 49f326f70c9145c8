import { problemsOf } from '../../appraisal/reference-values.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import {
  type CompactJws,
  decodeCompactJws,
  type JsonObject,
} from '../../evidence/jws/compact-jws.ts'
import { verifyJwsSignature } from '../../evidence/jws/jws-signature.ts'
import { type ReceiptClaims, receiptSchema } from './claims.ts'
import type { ReceiptKeys } from './keys.ts'
import { MAX_RECEIPT_CHARS } from './limits.ts'
import { RECEIPT_TYPE } from './receipt.ts'

export const RECEIPT_REASONS = [
  'receipt_too_large',
  'receipt_malformed',
  'receipt_type_wrong',
  'receipt_algorithm_refused',
  'receipt_key_unknown',
  'receipt_signature_invalid',
  'receipt_issuer_differs',
] as const

export type ReceiptFailure =
  | { readonly reason: 'receipt_too_large'; readonly maxChars: number }
  /** `at`: `jws`, `header` or a member of the payload. */
  | { readonly reason: 'receipt_malformed'; readonly at: string }
  | { readonly reason: 'receipt_type_wrong'; readonly typ: unknown }
  | { readonly reason: 'receipt_algorithm_refused'; readonly alg: unknown }
  | { readonly reason: 'receipt_key_unknown'; readonly kid: unknown }
  | { readonly reason: 'receipt_signature_invalid' }
  | { readonly reason: 'receipt_issuer_differs'; readonly issuer: string }

declare const verified: unique symbol

/**
 * A receipt whose signature holds: its issuer said so. Whether it is right is not known. Only
 * `verifyReceipt` makes one.
 */
export type VerifiedReceipt = {
  readonly kid: string
  readonly claims: ReceiptClaims
  /** All that was signed, with members that we do not know. */
  readonly payload: JsonObject
  readonly [verified]: true
}

/**
 * Verifies a receipt by the published keys of its issuer. What tells it from everything else that
 * these keys sign is its `typ` (RFC 8725 §3.11). It does not expire: it tells of the past.
 */
export async function verifyReceipt(
  text: string,
  options: {
    readonly keys: ReceiptKeys
    /** Absent: whoever has one of the keys. */
    readonly issuer?: string | undefined
  },
): Promise<Result<VerifiedReceipt, ReceiptFailure>> {
  if (text.length > MAX_RECEIPT_CHARS) {
    return err({ reason: 'receipt_too_large', maxChars: MAX_RECEIPT_CHARS })
  }
  const jws = decode(text)
  if (jws === undefined) return err({ reason: 'receipt_malformed', at: 'jws' })
  const { typ, alg, kid, ...others } = jws.header
  if (typ !== RECEIPT_TYPE) return err({ reason: 'receipt_type_wrong', typ })
  if (alg !== 'ES256') return err({ reason: 'receipt_algorithm_refused', alg })
  // We write no other, and one that is critical (RFC 7515 §4.1.11) could change what all this means.
  if (Object.keys(others).length > 0) return err({ reason: 'receipt_malformed', at: 'header' })
  const known = typeof kid === 'string' ? options.keys.get(kid) : undefined
  if (typeof kid !== 'string' || known === undefined) {
    return err({ reason: 'receipt_key_unknown', kid })
  }
  const { signature, payload } = jws
  const { key } = known
  const isSigned = await verifyJwsSignature({ compact: text, signature, key, algorithm: 'ES256' })
  if (!isSigned) return err({ reason: 'receipt_signature_invalid' })
  const claims = receiptSchema.safeParse(payload)
  if (!claims.success) {
    return err({ reason: 'receipt_malformed', at: problemsOf(claims.error)[0]?.path ?? '' })
  }
  const { iss } = claims.data
  if (options.issuer !== undefined && iss !== options.issuer) {
    return err({ reason: 'receipt_issuer_differs', issuer: iss })
  }
  const receipt = { kid, claims: claims.data, payload }
  return ok(receipt as VerifiedReceipt)
}

/** One receipt has one text: other spellings of the same signature are out. */
function decode(text: string): CompactJws | undefined {
  const jws = decodeCompactJws(text)
  return jws !== undefined && text.endsWith(`.${toBase64Url(jws.signature)}`) ? jws : undefined
}
