import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { mayDo } from '../../oauth/scopes.ts'
import { findRequestToApprove } from '../../operations/release/approve-request.ts'
import {
  type SecondAdministrator,
  secondFor,
} from '../../operations/release/second-administrator.ts'
import type { SecondRequest } from '../../store/rules/second-requests.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, reasonBody } from './read-body.ts'
import type { AdminServices } from './services.ts'

/** The second administrator that an operation may ask for to carry out this request. */
export function secondOf(
  c: HttpContext,
  { second, log }: Pick<AdminServices, 'second' | 'log'>,
  body: object,
): SecondAdministrator {
  const request = `${c.req.method} ${c.req.path}`
  const { clientId: by, scopes } = c.get('client')
  const { isDemanded, ask } = secondFor(second, {
    ...{ request, body, by, text: c.get('bodyText') },
    mayAsk: c.get('isSeconding') !== true,
    maySecond: mayDo(scopes, 'admin.approve'),
  })
  return {
    isDemanded,
    async ask(seen) {
      const waits = await ask(seen)
      const request_id = c.get('requestId')
      if (waits !== undefined) log.warn('second_administrator_needed', { request_id, request, by })
      return waits
    },
  }
}

/**
 * What waits for a second administrator, and carrying it out: `acts` are the routes that such requests are for. They
 * are asked as they were before, by whoever approves, who needs no other scope for it.
 */
export function secondRequestRoutes(services: AdminServices, acts: Hono<HttpEnv>): Hono<HttpEnv> {
  const { store, clock } = services
  const carryOut = createCarrier(acts)
  return new Hono<HttpEnv>()
    .get('/v1/second-requests', async (c) => {
      const waiting = await store.listSecondRequests(clock())
      return c.json({ second_requests: waiting.map(showRequest) })
    })
    .get('/v1/second-requests/:id', async (c) => {
      const found = await store.findSecondRequest(c.req.param('id'), clock())
      if (found === null) return answerFailure(c, { reason: 'second_request_not_found' })
      const body: unknown = found.body === null ? null : JSON.parse(found.body)
      return c.json({ ...showRequest(found), body })
    })
    .post('/v1/second-requests/:id/approve', async (c) => {
      const read = await readBody(c, reasonBody)
      if (!read.ok) return answerFailure(c, read.failure)
      const id = c.req.param('id')
      const { clientId: by } = c.get('client')
      const asked = { id, by, reason: read.value.reason, now: clock() }
      const found = await findRequestToApprove(store, asked)
      if (!found.ok) return answerFailure(c, found.failure)
      services.log.warn('request_approved', { request_id: c.get('requestId'), id, by })
      return carryOut(c, found.value)
    })
}

function showRequest(waiting: Omit<SecondRequest, 'body'>) {
  return {
    id: waiting.digest,
    request: waiting.request,
    requested_by: waiting.requestedBy,
    requested_at: waiting.requestedAt,
    expires_at: waiting.expiresAt,
  }
}

type Carrier = (
  c: HttpContext,
  request: { readonly method: string; readonly path: string; readonly body: string },
) => Promise<Response>

type CarriedEnv = { readonly Bindings: { readonly outer: HttpContext } }

/** Asks routes in this process, as the caller of the request at hand. */
function createCarrier(acts: Hono<HttpEnv>): Carrier {
  const inner = new Hono<HttpEnv & CarriedEnv>()
  inner.use(async (c, next) => {
    const { outer } = c.env
    c.set('client', outer.get('client'))
    c.set('requestId', outer.get('requestId'))
    c.set('isSeconding', true)
    await next()
  })
  inner.route('/', acts)
  inner.onError((error) => {
    throw error
  })
  return async (c, { method, path, body }) => {
    const { signal } = c.req.raw
    const headers = { 'content-type': 'application/json' }
    const request = new Request(new URL(path, c.req.url), { method, headers, body, signal })
    const answer = await inner.fetch(request, { outer: c })
    const type = answer.headers.get('content-type') ?? 'application/json'
    const place = answer.headers.get('location')
    if (place !== null) c.header('location', place)
    const told = { 'content-type': type }
    return c.body(await answer.text(), answer.status as ContentfulStatusCode, told)
  }
}
