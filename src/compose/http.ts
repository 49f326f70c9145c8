import type { HttpServices } from '../http/app.ts'
import { accessServices } from './decide.ts'
import { adminServices } from './release.ts'
import type { Services } from './services.ts'

/** Hands each room of HTTP what its routes work with. */
export function httpServices(services: Services): HttpServices {
  const { log, metrics, random, publishedKeys } = services
  return {
    ...{ log, metrics, random, publishedKeys },
    access: accessServices(services),
    agent: services,
    admin: adminServices(services),
    health: services,
  }
}
