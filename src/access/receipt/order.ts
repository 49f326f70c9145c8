import { err, ok, type Result } from '../../base/result.ts'
import type { AuthzenFailure, EvaluationRequest } from '../evaluation-request.ts'
import { digestRequest } from './inputs.ts'

const NOT_ORDERED = ok(undefined)

/**
 * The digest of a question that asks for a receipt (`context.receipt` is `true`, nothing else does),
 * `undefined` for others. A question without a canonical form (RFC 8785) cannot have a receipt, and
 * is refused rather than answered without what was asked for.
 */
export function readReceiptOrder(
  request: EvaluationRequest,
): Result<string | undefined, AuthzenFailure> {
  if (request.context.receipt !== true) return NOT_ORDERED
  const requestDigest = digestRequest(request)
  if (requestDigest !== undefined) return ok(requestDigest)
  const message = 'a receipt needs a request of Unicode text and finite numbers (RFC 8785)'
  return err({ reason: 'authzen_member_ill_typed', member: '', message })
}
