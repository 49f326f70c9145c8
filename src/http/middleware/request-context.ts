import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { toBase64Url } from '../../encoding.ts'
import type { Services } from '../../services.ts'
import type { HttpEnv } from '../environment.ts'

/** Printable ASCII: what a header can carry back unchanged and a log line can show. */
const ACCEPTABLE_ID = /^[\x20-\x7e]{1,200}$/

/**
 * Gives every request an id, times it and logs one line for it.
 *
 * A caller's `X-Request-ID` is returned as it came (AuthZEN 1.0 §10.1.3); ours otherwise.
 */
export function requestContext(services: Services) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const offered = c.req.header('x-request-id')
    const requestId =
      offered !== undefined && ACCEPTABLE_ID.test(offered)
        ? offered
        : toBase64Url(services.random(12))
    c.set('requestId', requestId)
    const started = performance.now()
    await next()
    const elapsed = performance.now() - started
    c.header('x-request-id', requestId)
    const route = routePath(c, -1)
    services.metrics.requests
      .labels(route, `${Math.floor(c.res.status / 100)}xx`)
      .observe(elapsed / 1000)
    services.log.debug('request', {
      request_id: requestId,
      method: c.req.method,
      route,
      status: c.res.status,
      ms: Math.round(elapsed * 100) / 100,
    })
  })
}
