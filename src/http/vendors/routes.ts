import { Hono } from 'hono'
import type { HttpEnv } from '../environment.ts'
import { type CloudflareServices, cloudflareRoutes } from './cloudflare.ts'
import { type EntraServices, entraRoutes } from './entra.ts'
import { type OktaServices, oktaRoutes } from './okta.ts'

/** What the endpoints of identity providers work with; absent where one may not ask. */
export type VendorServices = {
  readonly entra: EntraServices | undefined
  readonly okta: OktaServices | undefined
  readonly cloudflare: CloudflareServices | undefined
}

/** Endpoints in the forms of single identity providers. Those of a provider that is not configured are not there. */
export function vendorRoutes({ entra, okta, cloudflare }: VendorServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  if (entra !== undefined) app.route('/', entraRoutes(entra))
  if (okta !== undefined) app.route('/', oktaRoutes(okta))
  if (cloudflare !== undefined) app.route('/', cloudflareRoutes(cloudflare))
  return app
}
