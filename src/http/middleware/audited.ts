import { createMiddleware } from 'hono/factory'
import { type AuditedRequest, forRequest } from '../../base/audited-request.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { originOf } from '../request-origin.ts'

/** They write no entry of the audit log: decisions none at all, and of an attestation its own row tells. */
const UNAUDITED = /^\/(?:access\/v1\/evaluations?|v1\/attestations)$/
const MOST_CHARS = 300

/**
 * Leaves with everything that a request changes from where it came and which request it was. The one place: whatever
 * writes an entry of the audit log meanwhile says it.
 */
export function sayRequest() {
  return createMiddleware<HttpEnv>((c, next) => {
    const { method, path } = c.req
    if (method === 'GET' || UNAUDITED.test(path)) return next()
    return forRequest(describe(c), next)
  })
}

function describe(c: HttpContext): AuditedRequest {
  const { method, path } = c.req
  const { requestId: id, address, forwardedFor } = originOf(c)
  return {
    ...{ id, method, path: path.slice(0, MOST_CHARS), address },
    ...(forwardedFor !== undefined && { forwarded_for: forwardedFor }),
  }
}
