import { Hono } from 'hono'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { HttpEnv } from '../../src/http/environment.ts'
import { guardRoutes } from '../../src/http/middleware/guard-routes.ts'
import { isRoute, ROUTE_ACCESS, type Route, scopesOfRoute } from '../../src/http/route-access.ts'
import { ROLE_NAMES, ROLES, type Role } from '../../src/oauth/roles.ts'
import type { Scope } from '../../src/oauth/scopes.ts'
import { createTestService } from '../support/service.ts'
import { openTestDatabase } from '../support/test-database.ts'

/**
 * Every route of the service, asked as every role. The routes are those that Hono has registered with every surface
 * turned on, and the answers are the service's: the table is held against both.
 */

const database = await openTestDatabase()
const service = await createTestService({
  database,
  env: {
    SIGN_IN_CLIENTS: JSON.stringify([
      {
        provider: 'okta',
        client_id: 'okta',
        redirect_uris: ['https://acme.okta.com/oauth2/v1/authorize/callback'],
      },
    ]),
    ENTRA_TENANT_ID: '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9',
    ENTRA_APP_ID: '1f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9',
    OKTA_ORGANISATION: 'https://acme.okta.com',
    CLOUDFLARE_TEAM: 'acme',
    CLOUDFLARE_POSTURE_AUDIENCE: 'a'.repeat(64),
  },
})
afterAll(() => database.close())
// Whoever is refused too often has to wait, which is another answer.
beforeEach(() => service.clock.advance(60))

const registered = new Set(
  service.app.routes.flatMap(({ method, path }) => (method === 'ALL' ? [] : [`${method} ${path}`])),
)
const routes = Object.keys(ROUTE_ACCESS).filter(isRoute)

test('the table has every route of the service, and no other', () => {
  expect(routes.toSorted()).toEqual([...registered].toSorted())
})

/** What is asked for has to be nothing that changes what the next one is asked. */
function ask(route: Route, headers: Readonly<Record<string, string>>): Promise<Response> {
  const [method = '', path = ''] = route.split(' ')
  const target = path.replace(':id', 'none-of-this-name')
  const hasBody = !['GET', 'HEAD'].includes(method)
  return service.request(target, {
    method,
    headers: { ...headers, ...(hasBody && { 'content-type': 'application/json' }) },
    ...(hasBody && { body: '{"not": "what is asked for"}' }),
  })
}

const scoped = routes.filter((route) => scopesOfRoute(route).length > 0)
const programs = scoped.filter((route) => !route.includes(' /console'))

/** What a role may ask for, said once more: by its own words, and not by the code that decides it. */
const MAY: Readonly<Record<Role, readonly Scope[]>> = {
  viewer: ['admin.read'],
  operator: ['admin.read', 'admin.operate'],
  'policy-author': ['admin.read', 'admin.author'],
  approver: ['admin.read', 'admin.approve'],
  owner: ['admin.read', 'admin.operate', 'admin.author', 'admin.approve', 'admin.write'],
}

describe.each(ROLE_NAMES)('a client with the role %s', (role) => {
  test.each(programs)('%s', async (route) => {
    const answer = await ask(route, await service.as(...ROLES[role]))
    const isAllowed = scopesOfRoute(route).some((scope) => MAY[role].includes(scope))
    if (isAllowed) expect([401, 403]).not.toContain(answer.status)
    else expect(answer.status).toBe(403)
  })
})

test.each(programs)('nobody may ask without credentials: %s', async (route) => {
  expect((await ask(route, {})).status).toBe(401)
})

test('every scope of administration is what some route demands', () => {
  const demanded = new Set(programs.flatMap(scopesOfRoute))
  const ofRoles: readonly Scope[] = ROLE_NAMES.flatMap((role) => MAY[role])
  expect(ofRoles.filter((scope) => !demanded.has(scope))).toEqual([])
})

test('a route that the table gives no scope keeps the service from starting', () => {
  const routes = new Hono<HttpEnv>().get('/v1/forgotten', (c) => c.text('open to everybody'))
  expect(() => guardRoutes(routes, () => async (_, next) => next())).toThrow(
    'GET /v1/forgotten: src/http/route-access.ts has no scope',
  )
  const open = new Hono<HttpEnv>().get('/healthz', (c) => c.text('ok'))
  expect(() => guardRoutes(open, () => async (_, next) => next())).toThrow('GET /healthz')
})
