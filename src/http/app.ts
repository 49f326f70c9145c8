import { Hono } from 'hono'
import { describeFault } from '../base/log.ts'
import type { Services } from '../compose/services.ts'
import { authzenRoutes } from './access/authzen.ts'
import { adminDeviceRoutes } from './admin/devices.ts'
import { adminDocumentRoutes } from './admin/documents.ts'
import { adminHoldRoutes } from './admin/holds.ts'
import { adminOverrideRoutes } from './admin/overrides.ts'
import { adminPreviewRoutes } from './admin/previews.ts'
import { adminRolloutRoutes } from './admin/rollouts.ts'
import { secondRequestRoutes } from './admin/second-administrator.ts'
import { attestTpmRoutes } from './agent/attest-tpm.ts'
import { attestationRoutes } from './agent/attestations.ts'
import { challengeRoutes } from './agent/challenge.ts'
import { enrolmentRoutes } from './agent/enrolments.ts'
import type { HttpEnv } from './environment.ts'
import { answerUnhandled, surfaceOf } from './errors/surface.ts'
import { operationRoutes } from './health/health.ts'
import { requestContext } from './middleware/request-context.ts'
import { refuseUnstorableUrl } from './middleware/request-text.ts'
import { answerPublic } from './public-document.ts'

export type App = Hono<HttpEnv>

/** Every route of the service, the same on every runtime. */
export function createApp(services: Services): App {
  const app = new Hono<HttpEnv>()
  app.use(requestContext(services))
  app.use(refuseUnstorableUrl())
  app.route('/', authzenRoutes(services))
  app.route('/', challengeRoutes(services))
  app.route('/', attestTpmRoutes(services))
  app.route('/', attestationRoutes(services))
  app.route('/', enrolmentRoutes(services))
  app.route('/', adminDeviceRoutes(services))
  app.route('/', adminDocumentRoutes(services))
  app.route('/', adminPreviewRoutes(services))
  app.route('/', adminRolloutRoutes(services))
  app.route('/', adminOverrideRoutes(services))
  app.route('/', adminHoldRoutes(services))
  app.route('/', secondRequestRoutes(services))
  app.route('/', operationRoutes(services))
  app.get('/.well-known/jwks.json', (c) => answerPublic(c, services.publishedKeys))
  refuseOtherMethods(app)

  app.notFound((c) => answerUnhandled(c, 'not_found'))
  app.onError((error, c) => {
    // The one place where a fault is answered: with an id to ask for and nothing else.
    const requestId = c.get('requestId')
    services.metrics.faults.labels(surfaceOf(c)).inc()
    services.log.error('fault', {
      request_id: requestId,
      path: c.req.path,
      ...describeFault(error),
    })
    const detail = `the service failed; ask its operator about request ${requestId}`
    return answerUnhandled(c, 'internal', detail)
  })
  return app
}

/** RFC 9110 §15.5.6: a path that exists is not missing, it wants another method. */
function refuseOtherMethods(app: App): void {
  const methodsOf = new Map<string, Set<string>>()
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue
    const methods = methodsOf.get(path) ?? new Set()
    methodsOf.set(path, methods.add(method))
    if (method === 'GET') methods.add('HEAD')
  }
  for (const [path, methods] of methodsOf) {
    const allow = [...methods].sort().join(', ')
    app.all(path, (c) => {
      c.header('allow', allow)
      return answerUnhandled(c, 'method_not_allowed')
    })
  }
}
