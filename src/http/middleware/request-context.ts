import type { MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { toBase64Url } from '../../base/encoding.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Tracing } from '../../base/tracing.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'

/** Printable ASCII of a length that a log line can show. */
const ACCEPTABLE_ID = /^[\x20-\x7e]{1,200}$/

const LOST_BYTE = '\ufffd'

/** What every request needs, whatever it is for. */
export type RequestServices = {
  readonly log: Log
  readonly metrics: Metrics
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  /** Traces requests; absent where nobody collects traces. */
  readonly tracing?: Tracing | undefined
}

/** Gives every request an id, times it and logs one line for it. */
export function requestContext(services: RequestServices) {
  const { tracing } = services
  const handle: MiddlewareHandler<HttpEnv> = async (c, next) => {
    const requestId = beginAnswer(c, services.random)
    const started = performance.now()
    await next()
    const elapsed = performance.now() - started
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
  }
  return createMiddleware<HttpEnv>(tracing === undefined ? handle : traced(handle, tracing))
}

/** A span for each request, under the name of its route: a path may have the id of a device in it. */
function traced(handle: MiddlewareHandler<HttpEnv>, tracing: Tracing): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const { method } = c.req
    const parent = {
      traceparent: c.req.header('traceparent'),
      tracestate: c.req.header('tracestate'),
    }
    await tracing.span(
      { name: method, kind: 'server', parent },
      async () => handle(c, next),
      () => {
        const [route, { status }] = [routePath(c, -1), c.res]
        const attributes = {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': status,
        }
        return { name: `${method} ${route}`, attributes, isFault: status >= 500 }
      },
    )
  }
}

/**
 * Names the request, and sets what every answer carries.
 *
 * A caller's `X-Request-ID` is returned as it came, byte for byte and whatever it is (AuthZEN 1.0
 * §10.1.3; RFC 9110 §5.5 allows bytes beyond ASCII); logs and problem documents name the request by it
 * where they can show it, and by an id of ours otherwise. workerd reads headers as UTF-8 and hands
 * over U+FFFD for other bytes: what is lost cannot be returned, and an id of ours is better than one
 * that is nearly the caller's.
 *
 * What every answer carries is set before the answer is made: Hono copies an answer that is there
 * already for each header that is added to it. Answers are for the one who asked, so a route that
 * may be cached says so itself.
 */
export function beginAnswer(c: HttpContext, random: RequestServices['random']): string {
  const header = c.req.header('x-request-id')
  const offered = header?.includes(LOST_BYTE) === true ? undefined : header
  const requestId =
    offered !== undefined && ACCEPTABLE_ID.test(offered) ? offered : toBase64Url(random(12))
  c.set('requestId', requestId)
  c.header('x-request-id', offered ?? requestId)
  c.header('cache-control', 'no-store')
  c.header('x-content-type-options', 'nosniff')
  return requestId
}
