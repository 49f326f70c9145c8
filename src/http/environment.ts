import type { Context } from 'hono'
import type { Services } from '../compose/services.ts'
import type { ApiClient } from '../store/store.ts'

/** What middleware leaves for handlers. Handlers get everything else from the services. */
export type HttpEnv = {
  Variables: {
    requestId: string
    client: ApiClient
  }
}

export type HttpContext = Context<HttpEnv>

export type WithServices = { readonly services: Services }
