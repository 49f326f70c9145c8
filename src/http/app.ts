import { Hono } from 'hono'
import { describeFault } from '../log.ts'
import type { Services } from '../services.ts'
import { answerError, authzenRoutes } from './access/authzen.ts'
import { adminDeviceRoutes } from './admin/devices.ts'
import { adminDocumentRoutes } from './admin/documents.ts'
import { attestTpmRoutes } from './agent/attest-tpm.ts'
import { attestationRoutes } from './agent/attestations.ts'
import { challengeRoutes } from './agent/challenge.ts'
import type { HttpContext, HttpEnv } from './environment.ts'
import { requestContext } from './middleware/request-context.ts'
import { operationRoutes } from './ops/operations.ts'
import { answerProblem } from './problem.ts'

export type App = Hono<HttpEnv>

/** Every route of the service, the same on every runtime. */
export function createApp(services: Services): App {
  const app = new Hono<HttpEnv>()
  app.use(requestContext(services))
  app.route('/', authzenRoutes(services))
  app.route('/', challengeRoutes(services))
  app.route('/', attestTpmRoutes(services))
  app.route('/', attestationRoutes(services))
  app.route('/', adminDeviceRoutes(services))
  app.route('/', adminDocumentRoutes(services))
  app.route('/', operationRoutes(services))
  app.get('/.well-known/jwks.json', (c) => c.json(services.deviceTokenKeys))

  app.notFound((c) => answerProblem(c, 'not_found'))
  app.onError((error, c) => {
    // The one place where a fault is answered: with an id to ask for and nothing else.
    services.metrics.faults.labels(surfaceOf(c)).inc()
    services.log.error('fault', {
      request_id: c.get('requestId'),
      path: c.req.path,
      ...describeFault(error),
    })
    c.header('x-request-id', c.get('requestId'))
    return answerFault(c)
  })
  return app
}

type Surface = 'authzen' | 'azure' | 'api'

function surfaceOf(c: HttpContext): Surface {
  if (c.req.path.startsWith('/access/')) return 'authzen'
  return c.req.path.startsWith('/attest/') ? 'azure' : 'api'
}

/** In the form of the standard that the surface speaks. */
function answerFault(c: HttpContext): Response {
  const surface = surfaceOf(c)
  const message = `the service failed; ask its operator about request ${c.get('requestId')}`
  if (surface === 'authzen') return answerError(c, 500, message)
  if (surface === 'azure') return c.json({ error: { code: 'InternalError', message } }, 500)
  return answerProblem(c, 'internal', message)
}
