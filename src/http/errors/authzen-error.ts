import type { BreakGlassFailure } from '../../access/break-glass/failure.ts'
import type { AuthzenBatchFailure } from '../../access/evaluations-request.ts'
import type { SearchRequestFailure } from '../../access/search-request.ts'
import type { PageTokenFailure } from '../../operations/decide/page-token.ts'
import type { HttpContext } from '../environment.ts'
import type { RequestFailure } from '../read-json.ts'
import { statusOf } from './problem.ts'
import { type ProblemAnswer, problem } from './problem-answer.ts'
import type { SharedCode } from './problem-code.ts'

/** Why there is no decision. A denial is none of these: it is an answer (AuthZEN §5.5). */
export type AuthzenErrorCode = SharedCode | OwnCode

type OwnCode = OwnFailure['reason']

type OwnFailure = AuthzenBatchFailure | BreakGlassFailure | SearchRequestFailure | PageTokenFailure

/** AuthZEN §10.1.2. Who shows a break-glass token has to see that it opened nothing: 403. */
export const AUTHZEN_ANSWERS: Readonly<Record<OwnCode, ProblemAnswer>> = {
  authzen_member_missing: problem(
    400,
    'A member of the request is missing.',
    'Add the member that the message names.',
  ),
  authzen_member_ill_typed: problem(
    400,
    'A member of the request has another type.',
    'Write the member that the message names as AuthZEN has it.',
  ),
  authzen_over_limit: problem(
    400,
    'Something in the request is longer or more than it may be.',
    'Shorten what the message names.',
  ),
  authzen_semantic_unknown: problem(
    400,
    'There is no such semantic of evaluations.',
    'Use execute_all, deny_on_first_deny or permit_on_first_permit.',
  ),
  authzen_too_many_evaluations: problem(
    400,
    'The request asks for too many evaluations.',
    'Ask in several requests.',
  ),
  search_of_devices: problem(
    400,
    'Devices are not searched for.',
    'Ask about one device by its id, in an evaluation.',
  ),
  page_token_refused: problem(
    400,
    'The token of the page is not one of this caller and this search.',
    'Ask again as for the page before, with nothing changed but the token.',
  ),
  page_token_expired: problem(400, 'The token of the page has expired.', 'Begin the search anew.'),
  break_glass_not_configured: problem(
    403,
    'Break-glass is not configured here.',
    'Leave the header Break-Glass out, or set BREAK_GLASS_KEYS.',
  ),
  break_glass_too_large: problem(
    403,
    'The Break-Glass token is too large.',
    'Send the token alone.',
  ),
  break_glass_malformed: problem(
    403,
    'The Break-Glass token is none.',
    'Send it as break-glass sign printed it.',
  ),
  break_glass_header_refused: problem(
    403,
    'A signature of the Break-Glass token has another header than it may have.',
    'Sign with break-glass sign.',
  ),
  break_glass_signature_invalid: problem(
    403,
    'A signature of the Break-Glass token is not valid.',
    'Sign with keys of BREAK_GLASS_KEYS.',
  ),
  break_glass_too_few_signatures: problem(
    403,
    'The Break-Glass token has too few signatures.',
    'Let another holder of a key sign it.',
  ),
  break_glass_wrong_audience: problem(
    403,
    'The Break-Glass token is for another service.',
    'Sign one for this PUBLIC_URL.',
  ),
  break_glass_lifetime_too_long: problem(
    403,
    'The Break-Glass token lives too long.',
    'Sign one that ends earlier.',
  ),
  break_glass_not_yet_valid: problem(
    403,
    'The Break-Glass token is not valid yet.',
    'Wait, or check the clocks.',
  ),
  break_glass_expired: problem(403, 'The Break-Glass token has expired.', 'Sign another one.'),
  break_glass_wrong_device: problem(
    403,
    'The Break-Glass token is for another device.',
    'Sign one for this device.',
  ),
}

/** AuthZEN §10.1.2: the body of an error is a message, in JSON. */
export function answerAuthzenError(
  c: HttpContext,
  code: AuthzenErrorCode,
  message: string,
): Response {
  return c.json(message, isOwn(code) ? AUTHZEN_ANSWERS[code].status : statusOf(code))
}

/** Answers with a failure in its own words; a break-glass token is told the reason alone. */
export function answerAuthzenFailure(
  c: HttpContext,
  failure: RequestFailure | OwnFailure,
): Response {
  const { reason } = failure
  if ('detail' in failure) return answerAuthzenError(c, reason, failure.detail)
  if ('message' in failure) return answerAuthzenError(c, reason, failure.message)
  return answerAuthzenError(c, reason, `the Break-Glass token is refused: ${reason}`)
}

function isOwn(code: AuthzenErrorCode): code is OwnCode {
  return Object.hasOwn(AUTHZEN_ANSWERS, code)
}
