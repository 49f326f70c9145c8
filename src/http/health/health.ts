import { Hono } from 'hono'
import { describeFault, type Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Store } from '../../store/store.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'

/** What the health of this process is known by. */
export type HealthServices = {
  readonly store: Pick<Store, 'ping'>
  readonly metrics: Metrics
  readonly log: Log
  /** Whether each configured verifier answers, by its name there. */
  readonly verifierStates: () => Readonly<Record<string, boolean>>
  /** Set when the process is on its way down and should get no more requests. */
  readonly lifecycle: { readonly draining: boolean }
  /** Whether refusals tell agents all that was compared, which nobody should rely on. */
  readonly isDeveloperMode: boolean
}

/** What orchestrators and Prometheus ask. None of it names a device or a client. */
export function healthRoutes(services: HealthServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  /** The process runs. Says nothing about what it depends on, so that a restart is never its cure. */
  const alive = { status: 'ok', ...(services.isDeveloperMode && { developer: true }) }
  app.get('/healthz', (c) => c.json(alive))

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
      c.header('retry-after', '5')
      return c.json({ status: 'not ready', database: 'unreachable' }, 503)
    }
  })

  app.get('/metrics', (c) => answerMetrics(c, services.metrics))
  return app
}

/** In the text format of Prometheus. Reads no database. */
export async function answerMetrics(c: HttpContext, { registry }: Metrics): Promise<Response> {
  return c.text(await registry.metrics(), 200, { 'content-type': registry.contentType })
}

function describeVerifiers(
  states: Readonly<Record<string, boolean>>,
): Readonly<Record<string, 'ok' | 'unreachable'>> {
  return Object.fromEntries(
    Object.entries(states).map(([name, isUp]) => [name, isUp ? 'ok' : 'unreachable']),
  )
}
