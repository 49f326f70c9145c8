import { Hono } from 'hono'
import { nameDocument } from '../../base/document-hash.ts'
import type { Services } from '../../compose/services.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'

/** How long the second one has. */
const WAITS_MS = 3_600_000

/**
 * Where the configuration asks for it, a dangerous request is carried out when two administrators
 * have sent the same one, whatever reasons they give. The answer to the first of them; `undefined`
 * where there is nothing to wait for. `seen` is what the request is about as it stands now: a request
 * for what has changed since is another request.
 */
export async function awaitSecond(
  c: HttpContext,
  services: Services,
  dangerous: { readonly body: object; readonly seen?: unknown },
): Promise<Response | undefined> {
  if (!demandsSecond(services)) return undefined
  const { reason: _, ...asked } = { reason: '', ...dangerous.body }
  const request = `${c.req.method} ${c.req.path}`
  const named = nameDocument({ request, asked, seen: dangerous.seen ?? null })
  if (named === undefined) throw new TypeError('a checked body has a canonical form')
  const now = services.clock()
  const expiresAt = new Date(now.getTime() + WAITS_MS)
  const by = c.get('client').clientId
  const { store, log } = services
  const answer = await store.askSecondAdministrator({
    digest: named.hash,
    request,
    by,
    expiresAt,
    now,
  })
  if (answer === 'seconded') return undefined
  log.warn('second_administrator_needed', { request_id: c.get('requestId'), request, by })
  const detail = 'nothing has happened yet: another administrator has to send the same request'
  return c.json({ waits_for: 'second_administrator', expires_at: expiresAt, detail }, 202)
}

export function demandsSecond({ config }: Pick<Services, 'config'>): boolean {
  return config.secondAdministrator === 'required'
}

/** What waits for a second administrator. */
export function secondRequestRoutes(services: Services): Hono<HttpEnv> {
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  return new Hono<HttpEnv>().get('/v1/second-requests', mayRead, async (c) => {
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
