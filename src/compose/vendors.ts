import type { VendorServices } from '../http/vendors/routes.ts'
import { reportShadowDecisions } from '../operations/jobs/report-shadow.ts'
import type { Services } from './services.ts'

/** What the endpoints of identity providers work with: of those alone that may ask here. */
export function vendorServices(services: Services): VendorServices {
  const { config, callerKeySets: keySets } = services
  const { publicUrl, clockSkewSeconds, vendors } = config
  const { entra, okta, cloudflare } = vendors
  const store = services.store.forUse('decisions')
  const reports = { reportShadowDecisions: () => reportShadowDecisions(services) }
  const shared = { ...services, ...reports, store, keySets, clockSkewSeconds, publicUrl }
  return {
    entra: entra && { ...shared, entra },
    okta: okta && { ...shared, okta },
    cloudflare: cloudflare && { ...shared, cloudflare },
  }
}
