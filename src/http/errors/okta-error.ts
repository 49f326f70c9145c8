import { describeHookError } from '../../vendors/okta/token-hook.ts'
import type { HttpContext } from '../environment.ts'
import { answerProblem } from './problem.ts'
import type { SharedCode } from './problem-code.ts'

/**
 * Answers what no handler did at the hook of Okta. A fault is 200 with an error, so that no token is issued:
 * for any other status, and for none, Okta issues the token as if nobody had been asked.
 */
export function answerOktaError(c: HttpContext, code: SharedCode, detail?: string): Response {
  if (code !== 'internal' && code !== 'unavailable') return answerProblem(c, code, detail)
  return c.json(describeHookError(detail ?? 'the service cannot answer at the moment'))
}
