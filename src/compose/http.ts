import { createApp, type HttpServices } from '../http/app.ts'
import { createStatusListServer } from '../operations/status-list/serve-list.ts'
import type { StoreUse } from '../store/store.ts'
import { oauthServices } from './authorization-server.ts'
import { accessServices } from './decide.ts'
import { consoleServices } from './people.ts'
import { adminServices } from './release.ts'
import type { Services } from './services.ts'
import { signInServices } from './sign-in.ts'
import { signalServices } from './signals.ts'
import { vendorServices } from './vendors.ts'

/** Hands each room of HTTP what its routes work with. */
export function httpServices(services: Services): HttpServices {
  const { log, metrics, random, clock, publishedKeys, tracing } = services
  const forUse = (use: StoreUse) => ({ ...services, store: services.store.forUse(use) })
  return {
    ...{ log, metrics, random, clock, publishedKeys, tracing },
    access: accessServices(services),
    agent: forUse('recordings'),
    admin: adminServices(forUse('administration')),
    signals: signalServices(forUse('administration')),
    relyingParty: relyingPartyServices(forUse('decisions')),
    oauth: oauthServices(services),
    signIn: signInServices(services),
    console: consoleServices(forUse('administration')),
    vendors: vendorServices(services),
    health: forUse('decisions'),
  }
}

function relyingPartyServices(services: Services): HttpServices['relyingParty'] {
  const isKept = services.config.statusListTtlSeconds > 0
  return { ...services, statusList: isKept ? createStatusListServer(services) : undefined }
}

/** Answers requests in this process, without a socket. */
export function createAnswerer(
  services: Services,
): (request: Request) => Response | Promise<Response> {
  const app = createApp(httpServices(services))
  return (request) => app.fetch(request)
}
