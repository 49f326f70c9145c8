import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { BreakGlassFailure } from '../../access/break-glass/failure.ts'
import type { AuthzenBatchFailure } from '../../access/evaluations-request.ts'
import type { HttpContext } from '../environment.ts'
import type { RequestFailure } from '../read-json.ts'
import { type SharedCode, statusOf } from './problem.ts'

/** Why there is no decision. A denial is none of these: it is an answer (AuthZEN §5.5). */
export type AuthzenErrorCode = SharedCode | OwnCode

type OwnCode = AuthzenBatchFailure['reason'] | BreakGlassFailure['reason']

/** AuthZEN §10.1.2. Who shows a break-glass token has to see that it opened nothing: 403. */
const STATUS_OF: Readonly<Record<OwnCode, ContentfulStatusCode>> = {
  authzen_member_missing: 400,
  authzen_member_ill_typed: 400,
  authzen_over_limit: 400,
  authzen_semantic_unknown: 400,
  authzen_too_many_evaluations: 400,
  break_glass_not_configured: 403,
  break_glass_too_large: 403,
  break_glass_malformed: 403,
  break_glass_header_refused: 403,
  break_glass_signature_invalid: 403,
  break_glass_too_few_signatures: 403,
  break_glass_wrong_audience: 403,
  break_glass_lifetime_too_long: 403,
  break_glass_not_yet_valid: 403,
  break_glass_expired: 403,
  break_glass_wrong_device: 403,
}

/** AuthZEN §10.1.2: the body of an error is a message, in JSON. */
export function answerAuthzenError(
  c: HttpContext,
  code: AuthzenErrorCode,
  message: string,
): Response {
  return c.json(message, isOwn(code) ? STATUS_OF[code] : statusOf(code))
}

/** Answers with a failure in its own words; a break-glass token is told the reason alone. */
export function answerAuthzenFailure(
  c: HttpContext,
  failure: RequestFailure | AuthzenBatchFailure | BreakGlassFailure,
): Response {
  const { reason } = failure
  if ('detail' in failure) return answerAuthzenError(c, reason, failure.detail)
  if ('message' in failure) return answerAuthzenError(c, reason, failure.message)
  return answerAuthzenError(c, reason, `the Break-Glass token is refused: ${reason}`)
}

function isOwn(code: AuthzenErrorCode): code is OwnCode {
  return Object.hasOwn(STATUS_OF, code)
}
