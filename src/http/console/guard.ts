import type { MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { mayDo, type Scope } from '../../oauth/scopes.ts'
import { openSession } from '../../operations/people/session.ts'
import type { SessionFailure } from '../../people/session.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { dropSessionCookie, keepSessionCookie, readSessionCookie } from './cookies.ts'
import { answerConsoleFault, answerNotice } from './notice.ts'
import { type PeopleServices, placeOf } from './services.ts'

/**
 * Demands a person who is signed in and has one of `scopes`. Handlers find who it is under `client`, as they do
 * for programs, and the person behind it under `signedIn`. Whoever wants to read a page and is not signed in is
 * sent to do so and comes back to it; what changes something is answered on the spot, as a sign-in would lose it.
 */
export function requirePerson(
  services: PeopleServices,
  scopes: readonly Scope[],
): MiddlewareHandler<HttpEnv> {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const isChange = !['GET', 'HEAD'].includes(c.req.method)
    const opened = await openSession(services, {
      cookie: readSessionCookie(c, services),
      userAgent: c.req.header('user-agent'),
      isChange,
    })
    if (!opened.ok) return refuse(c, services, { failure: opened.failure, isChange })
    const signedIn = opened.value
    if (!scopes.some((scope) => mayDo(signedIn.scopes, scope))) {
      services.metrics.clientRefusals.inc({ reason: 'scope_missing' })
      return answerConsoleFault(c, 'forbidden', `This needs the scope ${scopes.join(' or ')}.`)
    }
    if (signedIn.cookie !== undefined) keepSessionCookie(c, services, signedIn.cookie)
    c.set('client', { clientId: signedIn.person.personId, scopes: signedIn.scopes })
    c.set('signedIn', signedIn)
    return next()
  })
}

/** What says nothing against a browser: it has no session yet, or none any more. */
const PLAIN: ReadonlySet<SessionFailure['reason']> = new Set([
  'session_missing',
  'session_expired',
  'session_roles_stale',
])

function refuse(
  c: HttpContext,
  services: PeopleServices,
  { failure, isChange }: { readonly failure: SessionFailure; readonly isChange: boolean },
): Response {
  const { reason } = failure
  services.metrics.clientRefusals.inc({ reason })
  if (!PLAIN.has(reason)) {
    const fields = { request_id: c.get('requestId'), reason }
    services.logBudget.write('warn', 'session_refused', reason, fields, services.clock())
  }
  // Roles that are read anew go on with the same session.
  if (reason !== 'session_missing' && reason !== 'session_roles_stale')
    dropSessionCookie(c, services)
  const { path } = c.req
  const query = new URL(c.req.url).search
  const signIn = `${placeOf(services, '/console/sign-in')}?return_to=${encodeURIComponent(path + query)}`
  const isExpected = PLAIN.has(reason) && services.issuer !== undefined
  // A script could not follow to the issuer.
  const isPage = !isChange && (c.req.header('sec-fetch-mode') ?? 'navigate') === 'navigate'
  if (isPage && isExpected) return c.redirect(signIn, 303)
  const href = isPage ? signIn : placeOf(services, '/console')
  return answerNotice(c, { code: reason, next: { href, text: 'Sign in' } })
}
