import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { placeOf } from '../../base/located.ts'
import type { Failure } from '../../base/result.ts'
import type { HttpContext } from '../environment.ts'
import type { ClientRefusal } from '../middleware/refuse-client.ts'
import type { RequestFailure } from '../read-json.ts'
import { ADMIN_PROBLEMS } from './admin-problems.ts'
import { AGENT_PROBLEMS } from './agent-problems.ts'
import type { ProblemAnswer } from './problem-answer.ts'
import type { ProblemCode, SharedCode } from './problem-code.ts'
import { RELYING_PARTY_PROBLEMS } from './relying-party-problems.ts'
import { SHARED_PROBLEMS } from './shared-problems.ts'
import { SIGN_IN_PROBLEMS } from './sign-in-answers.ts'
import { SIGNAL_PROBLEMS } from './signal-problems.ts'
import { isVendorCode, VENDOR_PROBLEMS } from './vendor-problems.ts'

/** The one map from reasons to the wire (RFC 9457). */
export const PROBLEMS: Readonly<Record<ProblemCode, ProblemAnswer>> = {
  ...SHARED_PROBLEMS,
  ...AGENT_PROBLEMS,
  ...ADMIN_PROBLEMS,
  ...SIGNAL_PROBLEMS,
  ...RELYING_PARTY_PROBLEMS,
  ...SIGN_IN_PROBLEMS,
  ...VENDOR_PROBLEMS,
}

/** The status of a code, for the surfaces that word it otherwise. */
export function statusOf(code: SharedCode): ContentfulStatusCode {
  return PROBLEMS[code].status
}

/**
 * Answers with a problem document: what is wrong, and the id under which an operator finds it. Where nothing more is
 * known than the code, its detail says what to do.
 */
export function answerProblem(
  c: HttpContext,
  code: ProblemCode,
  detail?: string,
  members: Readonly<Record<string, unknown>> = {},
): Response {
  const { status, cause: title, change } = PROBLEMS[code]
  const problem = {
    type: `urn:countersign:problem:${code}`,
    title,
    status,
    code,
    detail: detail ?? change,
    instance: `urn:countersign:request:${encodeURIComponent(c.get('requestId'))}`,
    ...members,
  }
  if (status === 401 && code !== 'unauthenticated') {
    c.header('www-authenticate', challengeOf(code))
  }
  return c.body(JSON.stringify(problem), status, { 'content-type': 'application/problem+json' })
}

/**
 * RFC 9449 §7.1: an agent proves itself by a token and by a proof of its key. Identity providers prove
 * themselves by a token alone (RFC 6750 §3).
 */
function challengeOf(code: ProblemCode): string {
  if (isVendorCode(code)) return 'Bearer error="invalid_token"'
  const error = code.startsWith('proof_') ? 'invalid_dpop_proof' : 'invalid_token'
  return `DPoP error="${error}", algs="PS256 RS256 ES256"`
}

/** Members of a problem that say where, and what would have been right: what answers of `/attest/Tpm` say. */
export function tellPlace(failure: Failure): Readonly<Record<string, unknown>> {
  const where = placeOf(failure)
  const { expected } = failure
  return { ...(where !== undefined && { where }), ...(expected !== undefined && { expected }) }
}

/** Answers a request that no room has looked at, with the member of the body that is at fault. */
export function answerRequestFailure(c: HttpContext, failure: RequestFailure): Response {
  return answerProblem(c, failure.reason, failure.detail, tellPlace(failure))
}

/** How our own API refuses a client: `requireClient` asks for it. */
export function answerUnauthorized(
  c: HttpContext,
  code: ClientRefusal | 'unavailable',
  detail: string,
): Response {
  return answerProblem(c, code, detail)
}
