import { Hono } from 'hono'
import { z } from 'zod'
import { endSessionsOf, listSessions } from '../../operations/people/end-sessions.ts'
import { showSession } from '../../views/show-session.ts'
import type { HttpEnv } from '../environment.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, reasonBody } from './read-body.ts'
import type { AdminServices } from './services.ts'

export const sessionsQuery = z.object({ person: z.string().min(1).max(200).optional() })

/** Who is signed in to the console, and ending all sessions of a person at once. */
export function adminPeopleRoutes(services: AdminServices): Hono<HttpEnv> {
  const { clock, log } = services
  return new Hono<HttpEnv>()
    .get('/v1/sessions', async (c) => {
      const query = parseForm(sessionsQuery, c.req.query())
      if (!query.ok) return answerFailure(c, query.failure)
      const asked = { personId: query.value.person, now: clock() }
      const sessions = await listSessions(services, asked)
      return c.json({ sessions: sessions.map(showSession) })
    })
    .post('/v1/people/:id/end-sessions', async (c) => {
      const body = await readBody(c, reasonBody)
      if (!body.ok) return answerFailure(c, body.failure)
      const personId = c.req.param('id')
      const by = c.get('client').clientId
      const change = { personId, by, reason: body.value.reason, now: clock() }
      const ended = await endSessionsOf(services, change)
      const request_id = c.get('requestId')
      if (ended > 0) log.warn('sessions_ended', { request_id, person: personId, by, ended })
      return c.json({ person_id: personId, ended })
    })
}
