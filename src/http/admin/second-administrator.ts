import { Hono } from 'hono'
import {
  type SecondAdministrator,
  secondFor,
} from '../../operations/release/second-administrator.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import type { AdminServices } from './services.ts'

/** The second administrator that an operation may ask for to carry out this request. */
export function secondOf(
  c: HttpContext,
  { second, log }: Pick<AdminServices, 'second' | 'log'>,
  body: object,
): SecondAdministrator {
  const request = `${c.req.method} ${c.req.path}`
  const by = c.get('client').clientId
  const { isDemanded, ask } = secondFor(second, { request, body, by })
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

/** What waits for a second administrator. */
export function secondRequestRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/v1/second-requests', async (c) => {
    const waiting = await services.store.listSecondRequests(services.clock())
    return c.json({
      second_requests: waiting.map(({ request, requestedBy, requestedAt, expiresAt }) => {
        return {
          request,
          requested_by: requestedBy,
          requested_at: requestedAt,
          expires_at: expiresAt,
        }
      }),
    })
  })
}
