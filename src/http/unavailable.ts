import { Hono } from 'hono'
import type { Services } from '../services.ts'
import type { HttpEnv } from './environment.ts'
import { beginAnswer } from './middleware/request-context.ts'
import { answerUnhandled } from './surface.ts'

/** An orchestrator or an operator needs about so long; agents and gateways come back by themselves. */
const RETRY_AFTER_SECONDS = 10

/**
 * Answers a request while there are no services to answer it, with an id to ask for and nothing
 * else, in the form of the standard that its path speaks. `report` is told the id.
 */
export async function answerUnavailable(
  request: Request,
  input: {
    readonly random: Services['random']
    readonly report: (requestId: string) => void
  },
): Promise<Response> {
  const app = new Hono<HttpEnv>()
  app.all('*', (c) => {
    const requestId = beginAnswer(c, input.random)
    input.report(requestId)
    c.header('retry-after', String(RETRY_AFTER_SECONDS))
    const detail = `the service cannot start; ask its operator about request ${requestId}`
    return answerUnhandled(c, 'unavailable', detail)
  })
  return app.fetch(request)
}
