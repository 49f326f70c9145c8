import type { Hono, MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { Scope } from '../../oauth/scopes.ts'
import type { HttpEnv } from '../environment.ts'
import { isRoute, scopesOfRoute } from '../route-access.ts'

/**
 * Demands of each request to one of `routes` what `ROUTE_ACCESS` says of that route. `demand` makes what lets
 * those pass who have one of some scopes, and answers all others. Looks at `routes` alone, which other
 * paths stand beside.
 *
 * Throws TypeError for a route that the table does not name with a scope: it would be open to everybody.
 */
export function guardRoutes(
  routes: Hono<HttpEnv>,
  demand: (scopes: readonly Scope[]) => MiddlewareHandler<HttpEnv>,
): MiddlewareHandler<HttpEnv> {
  const guards = new Map<string, MiddlewareHandler<HttpEnv>>()
  for (const route of routes.routes) {
    const name = nameOf(route)
    const scopes = isRoute(name) ? scopesOfRoute(name) : []
    if (scopes.length === 0) throw new TypeError(`${name}: src/http/route-access.ts has no scope`)
    if (!guards.has(name)) guards.set(name, demand(scopes))
  }
  return createMiddleware<HttpEnv>(async (c, next) => {
    const name = matchedRoutes(c)
      .map(nameOf)
      .find((one) => guards.has(one))
    const guard = name === undefined ? undefined : guards.get(name)
    return guard === undefined ? next() : guard(c, next)
  })
}

function nameOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path}`
}
