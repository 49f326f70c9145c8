import { Hono } from 'hono'
import { describeFault } from '../../base/log.ts'
import type { Services } from '../../compose/services.ts'
import type { HttpEnv } from '../environment.ts'

/** What orchestrators and Prometheus ask. None of it names a device or a client. */
export function operationRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  /** The process runs. Says nothing about what it depends on, so that a restart is never its cure. */
  app.get('/healthz', (c) => c.json({ status: 'ok' }))

  /**
   * The process can answer: it is not on its way down, and the database answers. A verifier that is
   * down keeps no decision from being made, so it is told and does not take us out of service.
   */
  app.get('/readyz', async (c) => {
    if (services.lifecycle.draining) return c.json({ status: 'draining' }, 503)
    try {
      await services.store.ping()
      const verifiers = describeVerifiers(services.verifierStates())
      return c.json({ status: 'ready', database: 'ok', verifiers })
    } catch (error) {
      services.log.error('not_ready', describeFault(error))
      return c.json({ status: 'not ready', database: 'unreachable' }, 503)
    }
  })

  app.get('/metrics', async (c) => {
    const { registry } = services.metrics
    return c.text(await registry.metrics(), 200, { 'content-type': registry.contentType })
  })
  return app
}

function describeVerifiers(
  states: Readonly<Record<string, boolean>>,
): Readonly<Record<string, 'ok' | 'unreachable'>> {
  return Object.fromEntries(
    Object.entries(states).map(([name, isUp]) => [name, isUp ? 'ok' : 'unreachable']),
  )
}
