import { Hono } from 'hono'
import type { JSONWebKeySet } from 'jose'
import { type AccessServices, evaluationRoutes } from './access/evaluations.ts'
import { adminRoutes } from './admin/routes.ts'
import type { AdminServices } from './admin/services.ts'
import { type AgentServices, agentRoutes } from './agent/routes.ts'
import { consoleRoutes } from './console/routes.ts'
import type { ConsoleServices } from './console/services.ts'
import type { HttpEnv } from './environment.ts'
import { createFaultAnswers } from './errors/fault.ts'
import { answerUnhandled } from './errors/surface.ts'
import { type HealthServices, healthRoutes } from './health/health.ts'
import { sayRequest } from './middleware/audited.ts'
import { type RequestServices, requestContext } from './middleware/request-context.ts'
import { refuseUnstorableUrl } from './middleware/request-text.ts'
import { type OAuthServices, oauthRoutes } from './oauth/routes.ts'
import { openApiRoutes } from './openapi/routes.ts'
import { answerPublic } from './public-document.ts'
import { attestationResultRoutes, type ResultServices } from './relying-party/attestation-result.ts'
import { type StatusListServices, statusListRoutes } from './relying-party/status-list.ts'
import { type SignInServices, signInRoutes } from './sign-in/routes.ts'
import { type SignalServices, signalRoutes } from './signals/routes.ts'
import { type VendorServices, vendorRoutes } from './vendors/routes.ts'

export type App = Hono<HttpEnv>

/** What the routes work with: each part is declared beside the routes that it is for. */
export type HttpServices = RequestServices & {
  readonly access: AccessServices
  readonly agent: AgentServices
  readonly admin: AdminServices
  readonly signals: SignalServices
  readonly relyingParty: StatusListServices & ResultServices
  readonly oauth: OAuthServices
  readonly signIn: SignInServices
  readonly console: ConsoleServices
  readonly vendors: VendorServices
  readonly health: HealthServices
  readonly clock: () => Date
  /** What others verify device tokens and receipts with: `/.well-known/jwks.json`. */
  readonly publishedKeys: () => Promise<JSONWebKeySet>
}

/** Every route of the service, the same on every runtime. */
export function createApp(services: HttpServices): App {
  const app = new Hono<HttpEnv>()
  app.use(requestContext(services))
  app.use(refuseUnstorableUrl())
  app.use(sayRequest())
  app.route('/', evaluationRoutes(services.access))
  app.route('/', agentRoutes(services.agent))
  app.route('/', adminRoutes(services.admin))
  app.route('/', signalRoutes(services.signals))
  app.route('/', statusListRoutes(services.relyingParty))
  app.route('/', attestationResultRoutes(services.relyingParty))
  app.route('/', oauthRoutes(services.oauth))
  app.route('/', signInRoutes(services.signIn))
  app.route('/', consoleRoutes(services.console))
  app.route('/', vendorRoutes(services.vendors))
  app.route('/', healthRoutes(services.health))
  app.get('/.well-known/jwks.json', async (c) => answerPublic(c, await services.publishedKeys()))
  app.route('/', openApiRoutes())
  refuseOtherMethods(app)

  const answerFault = createFaultAnswers(services)
  app.notFound((c) => answerUnhandled(c, 'not_found'))
  app.onError((error, c) => {
    const { signal } = c.req.raw
    if (signal.aborted && error === signal.reason)
      return new Response(null, { status: CLIENT_GONE })
    return answerFault(c, error)
  })
  return app
}

/** What servers write down for a client that did not wait. Nobody reads the answer. */
const CLIENT_GONE = 499

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
