import { Hono } from 'hono'
import type { HttpEnv } from '../environment.ts'
import { guardRoutes } from '../middleware/guard-routes.ts'
import { requirePerson } from './guard.ts'
import { consoleHeaders, refuseCrossSite } from './headers.ts'
import { consoleAssets, consolePages } from './pages.ts'
import type { ConsoleServices } from './services.ts'
import { consoleSignInRoutes } from './sign-in.ts'

/** The console: what people see in a browser, and how they sign in to it. */
export function consoleRoutes(services: ConsoleServices): Hono<HttpEnv> {
  const { publicUrl, config } = services
  const origins = [publicUrl, ...config.agentOrigins].map((url) => new URL(url).origin)
  const pages = consolePages(services)
  return new Hono<HttpEnv>()
    .use('/console/*', consoleHeaders(publicUrl))
    .use('/console/*', refuseCrossSite(origins))
    .use(
      '/console/*',
      guardRoutes(pages, (scopes) => requirePerson(services, scopes)),
    )
    .route('/', consoleAssets())
    .route('/', consoleSignInRoutes(services))
    .route('/', pages)
}
