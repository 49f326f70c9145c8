import { Hono } from 'hono'
import { z } from 'zod'
import type { Services } from '../../compose/services.ts'
import { showHold } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { readBody, readLimit, reasonText } from './read-body.ts'
import { awaitSecond } from './second-administrator.ts'

const endBody = z.strictObject({ reason: reasonText })

/** Causes that do not count for a while, because many good devices met them at once. */
export function adminHoldRoutes(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)

  app.get('/v1/holds', mayRead, async (c) => {
    const limit = readLimit(c)
    if (!limit.ok) return limit.failure.answer
    const holds = await services.store.listHolds(limit.value)
    return c.json({ holds: holds.map(showHold) })
  })
  app.post('/v1/holds/:id/end', mayWrite, (c) => end(c, services))
  return app
}

/** From here on the cause counts for every device that meets it. */
async function end(c: HttpContext, services: Services): Promise<Response> {
  const body = await readBody(c, endBody)
  if (!body.ok) return body.failure.answer
  const waits = await awaitSecond(c, services, { body: body.value })
  if (waits !== undefined) return waits
  const holdId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const { reason } = body.value
  const answer = await services.store.endHold({ holdId, by, reason, now: services.clock() })
  if (answer === 'hold_unknown') return answerProblem(c, 'hold_not_found')
  const changed = answer === 'applied'
  const request_id = c.get('requestId')
  if (changed) services.log.warn('hold_ended', { request_id, hold_id: holdId, by })
  return c.json({ hold_id: holdId, changed })
}
