import { Hono } from 'hono'
import type { HttpEnv } from '../environment.ts'
import { adminDeviceRoutes } from './devices.ts'
import { adminDocumentRoutes } from './documents.ts'
import { adminExplanationRoutes } from './explanations.ts'
import { adminHoldRoutes } from './holds.ts'
import { adminOverrideRoutes } from './overrides.ts'
import { adminPreviewRoutes } from './previews.ts'
import { adminRolloutRoutes } from './rollouts.ts'
import { secondRequestRoutes } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

/** What administrators ask for: devices, documents and everything that steers decisions. */
export function adminRoutes(services: AdminServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .route('/', adminDeviceRoutes(services))
    .route('/', adminDocumentRoutes(services))
    .route('/', adminPreviewRoutes(services))
    .route('/', adminExplanationRoutes(services))
    .route('/', adminRolloutRoutes(services))
    .route('/', adminOverrideRoutes(services))
    .route('/', adminHoldRoutes(services))
    .route('/', secondRequestRoutes(services))
}
