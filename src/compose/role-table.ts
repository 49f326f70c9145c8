import { type Access, isRoute, ROUTE_ACCESS, scopesOfRoute } from '../http/route-access.ts'
import { ROLE_NAMES, ROLES, type Role } from '../oauth/roles.ts'
import { mayDo, type Scope } from '../oauth/scopes.ts'

/** A route, and who may ask for it. */
export type RouteLine = {
  readonly route: string
  /** What it demands, in words. */
  readonly demands: string
  /** The roles that may; of routes that want no scope none, as a role has nothing to do with them. */
  readonly roles: readonly Role[]
}

/** Every route there is, in the order of their table. */
export function listRouteLines(): readonly RouteLine[] {
  return Object.keys(ROUTE_ACCESS)
    .filter(isRoute)
    .map((route) => {
      const access: Access = ROUTE_ACCESS[route]
      const demands = typeof access === 'string' ? access : access.join(' or ')
      return { route, demands, roles: rolesWith(scopesOfRoute(route)) }
    })
}

/** The roles that have one of some scopes. */
export function rolesWith(scopes: readonly Scope[]): readonly Role[] {
  return ROLE_NAMES.filter((role) => scopes.some((scope) => mayDo(ROLES[role], scope)))
}
