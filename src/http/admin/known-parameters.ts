import type { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { suggestName } from '../../policy/language/suggest.ts'
import type { HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'

/** The parameters of the routes that take any, by method and path: `GET /v1/devices`. */
export type RouteParameters = Readonly<
  Record<string, { readonly once: readonly string[]; readonly repeated?: readonly string[] }>
>

/**
 * Refuses a parameter that a route does not know, as unknown members of a body are refused: a mistyped
 * filter would else be a list of everything. Looks at `routes` alone, which other paths stand beside.
 */
export function refuseUnknownParameters(routes: Hono<HttpEnv>, parameters: RouteParameters) {
  const own = new Set(routes.routes.map(nameOf))
  return createMiddleware<HttpEnv>(async (c, next) => {
    const route = matchedRoutes(c)
      .map(nameOf)
      .find((name) => own.has(name))
    if (route === undefined) return next()
    const { once, repeated = [] } = parameters[route] ?? { once: [] }
    const known = [...once, ...repeated]
    for (const [name, values] of Object.entries(c.req.queries())) {
      const detail = !known.includes(name)
        ? describeUnknown(name, known)
        : values.length > 1 && !repeated.includes(name)
          ? `${name}: is given ${values.length} times`
          : undefined
      if (detail !== undefined) return answerFailure(c, { reason: 'request_malformed', detail })
    }
    return next()
  })
}

function nameOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path}`
}

function describeUnknown(name: string, known: readonly string[]): string {
  const shown = name.slice(0, 64)
  if (known.length === 0) return `${shown}: there is no such parameter, and none at all here`
  const meant = suggestName(name, known)
  const hint = meant === undefined ? `but: ${known.join(', ')}` : `did you mean ${meant}?`
  return `${shown}: there is no such parameter, ${hint}`
}
