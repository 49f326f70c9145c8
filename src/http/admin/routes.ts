import { Hono } from 'hono'
import type { Scope } from '../../oauth/scopes.ts'
import type { HttpEnv } from '../environment.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { guardRoutes } from '../middleware/guard-routes.ts'
import { adminAlarmRoutes, SECRET_ROUTES } from './alarms.ts'
import { adminAuditRoutes, auditQuery } from './audit.ts'
import { adminAuditLogRoutes, proofQuery, tileQuery } from './audit-log.ts'
import { adminDeviceListRoutes, devicesQuery, refusalsQuery } from './device-lists.ts'
import { adminDeviceRoutes, historyQuery } from './devices.ts'
import { adminDocumentRoutes } from './documents.ts'
import { adminEntityRoutes, ENTITIES_PARAMETERS } from './entities.ts'
import { adminExpiryRoutes, expiryQuery } from './expiry.ts'
import { adminExplanationRoutes } from './explanations.ts'
import { adminHoldRoutes } from './holds.ts'
import { keepChanges } from './idempotency.ts'
import { type RouteParameters, refuseUnknownParameters } from './known-parameters.ts'
import { adminOverrideRoutes } from './overrides.ts'
import { adminPeopleRoutes, sessionsQuery } from './people.ts'
import { adminPreviewRoutes } from './previews.ts'
import { listQuery } from './read-body.ts'
import { adminRolloutRoutes } from './rollouts.ts'
import { secondRequestRoutes } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

const listed = Object.keys(listQuery.shape)

/** The routes that take parameters, and which. One that is not here takes none. */
export const PARAMETERS: RouteParameters = {
  'GET /v1/devices': {
    once: Object.keys(devicesQuery.shape).filter((name) => name !== 'label'),
    repeated: ['label'],
  },
  'GET /v1/devices/:id/attestations': { once: Object.keys(historyQuery.shape) },
  'GET /v1/entities': { once: [...ENTITIES_PARAMETERS] },
  'GET /v1/refusals': { once: Object.keys(refusalsQuery.shape) },
  'GET /v1/sessions': { once: Object.keys(sessionsQuery.shape) },
  'GET /v1/audit': { once: Object.keys(auditQuery.shape) },
  'GET /v1/audit/log/tiles/:level/:tile': { once: Object.keys(tileQuery.shape) },
  'GET /v1/audit/log/proof': { once: Object.keys(proofQuery.shape) },
  'GET /v1/rollouts': { once: listed },
  'GET /v1/holds': { once: listed },
  'GET /v1/expiry': { once: Object.keys(expiryQuery.shape) },
  'DELETE /v1/overrides/:id': { once: ['reason', 'dry_run'] },
}

/** What administrators ask for: devices, documents and everything that steers decisions. */
export function adminRoutes(services: AdminServices): Hono<HttpEnv> {
  const acts = allRoutes(services)
  const routes = new Hono<HttpEnv>()
    .route('/', acts)
    .route('/', secondRequestRoutes(services, acts))
  const demand = (scopes: readonly Scope[]) => requireClient(services, scopes, answerUnauthorized)
  return new Hono<HttpEnv>()
    .use('/v1/*', guardRoutes(routes, demand))
    .use('/v1/*', refuseUnknownParameters(routes, PARAMETERS))
    .use('/v1/*', keepChanges(routes, services, SECRET_ROUTES))
    .route('/', routes)
}

function allRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .route('/', adminDeviceListRoutes(services))
    .route('/', adminAuditRoutes(services))
    .route('/', adminAuditLogRoutes(services))
    .route('/', adminDeviceRoutes(services))
    .route('/', adminEntityRoutes(services))
    .route('/', adminDocumentRoutes(services))
    .route('/', adminPreviewRoutes(services))
    .route('/', adminExplanationRoutes(services))
    .route('/', adminRolloutRoutes(services))
    .route('/', adminOverrideRoutes(services))
    .route('/', adminHoldRoutes(services))
    .route('/', adminExpiryRoutes(services))
    .route('/', adminAlarmRoutes(services))
    .route('/', adminPeopleRoutes(services))
}
