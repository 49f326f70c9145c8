import { Hono } from 'hono'
import type { Metrics } from '../../base/metrics.ts'
import type { OpenBreakGlass } from '../../operations/decide/answer-by-break-glass.ts'
import { breakGlassRoutes } from '../access/evaluations.ts'
import type { HttpEnv } from '../environment.ts'
import { answerMetrics } from '../health/health.ts'
import { beginAnswer, type RequestServices } from '../middleware/request-context.ts'
import { answerUnhandled } from './surface.ts'

/** Agents and gateways come back by themselves, and not all at once. */
const RETRY_LEAST_SECONDS = 5
const RETRY_SPREAD_SECONDS = 6

/**
 * Answers a request while there are no services to answer it, with an id to ask for and nothing
 * else, in the form of the standard that its path speaks. `report` is told the id. Break-glass is
 * answered all the same, that the process runs, and its metrics.
 */
export async function answerUnavailable(
  request: Request,
  input: {
    readonly random: RequestServices['random']
    readonly report: (requestId: string) => void
    /** Where the settings could be read: the one thing that needs nothing else. */
    readonly openBreakGlass?: OpenBreakGlass | undefined
    readonly metrics?: Metrics | undefined
  },
): Promise<Response> {
  const app = new Hono<HttpEnv>()
  app.use(async (c, next) => {
    beginAnswer(c, input.random)
    await next()
  })
  const { openBreakGlass, metrics } = input
  if (openBreakGlass !== undefined) app.route('/', breakGlassRoutes(openBreakGlass))
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  if (metrics !== undefined) app.get('/metrics', (c) => answerMetrics(c, metrics))
  app.all('*', (c) => {
    const requestId = c.get('requestId')
    input.report(requestId)
    const spread = (input.random(1)[0] ?? 0) % RETRY_SPREAD_SECONDS
    c.header('retry-after', String(RETRY_LEAST_SECONDS + spread))
    const detail = `the service cannot start; ask its operator about request ${requestId}`
    return answerUnhandled(c, 'unavailable', detail)
  })
  return app.fetch(request)
}
