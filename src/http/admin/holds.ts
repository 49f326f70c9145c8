import { Hono } from 'hono'
import { endHold } from '../../operations/release/end-hold.ts'
import { showHold } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, readPage, reasonBody } from './read-body.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

/** Causes that do not count for a while, because many good devices met them at once. */
export function adminHoldRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.get('/v1/holds', async (c) => {
    const page = await readPage(c, services.store.listHolds, ({ since, holdId }) => {
      return { at: since, id: holdId }
    })
    if (!page.ok) return answerFailure(c, page.failure)
    const { rows, next_before } = page.value
    return c.json({ holds: rows.map(showHold), next_before })
  })
  app.post('/v1/holds/:id/end', (c) => end(c, services))
  return app
}

async function end(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, reasonBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const holdId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const ended = await endHold(services.store, {
    ...{ holdId, by, reason: body.value.reason, now: services.clock() },
    second: secondOf(c, services, body.value),
  })
  if (!ended.ok) return answerFailure(c, ended.failure)
  const { changed } = ended.value
  const request_id = c.get('requestId')
  if (changed) services.log.warn('hold_ended', { request_id, hold_id: holdId, by })
  return c.json({ hold_id: holdId, changed })
}
