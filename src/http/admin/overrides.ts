import { Hono } from 'hono'
import { z } from 'zod'
import type { Result } from '../../base/result.ts'
import {
  endOverride,
  makeOverride,
  type OverrideRequest,
  overridesInForce,
} from '../../operations/release/overrides.ts'
import { showOverride } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import type { RequestFailure } from '../read-json.ts'
import { parseForm } from '../read-json.ts'
import { answerFailure } from './answer-failure.ts'
import { readBody, reasonBody, reasonText } from './read-body.ts'
import { secondOf } from './second-administrator.ts'
import type { AdminServices } from './services.ts'

const members = {
  target: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('device'), name: z.string().min(1).max(200) }),
    z.strictObject({ kind: z.literal('label'), name: z.string().min(1).max(64) }),
  ]),
  reason: reasonText,
  expires_at: z.iso.datetime({ offset: true }),
}

const overrideBody = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('allow'), ...members }),
  z.strictObject({
    action: z.literal('pin'),
    kind: z.enum(['policy', 'reference-values']).default('policy'),
    hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be the hash of a document'),
    ...members,
  }),
])

/** Exceptions for a device or a label, until they expire or are ended. */
export function adminOverrideRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'admin.read', answerUnauthorized)
  const mayWrite = requireClient(services, 'admin.write', answerUnauthorized)
  const { store, clock } = services

  app.get('/v1/overrides', mayRead, async (c) => {
    const overrides = await overridesInForce(store, clock())
    return c.json({ overrides: overrides.map(showOverride) })
  })
  app.post('/v1/overrides', mayWrite, (c) => create(c, services))
  app.delete('/v1/overrides/:id', mayWrite, (c) => end(c, services))
  return app
}

async function create(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, overrideBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { target, reason, expires_at } = body.value
  const what: OverrideRequest =
    body.value.action === 'pin'
      ? { action: 'pin', kind: body.value.kind, hash: body.value.hash }
      : { action: 'allow' }
  const author = c.get('client').clientId
  const made = await makeOverride(services, {
    ...{ target, what, reason, author, expiresAt: new Date(expires_at) },
    second: secondOf(c, services, body.value),
  })
  if (!made.ok) return answerFailure(c, made.failure)
  services.log.warn('override_created', {
    request_id: c.get('requestId'),
    override_id: made.value.overrideId,
    action: what.action,
    target: `${target.kind} ${target.name}`,
    by: author,
  })
  return c.json(showOverride(made.value), 201)
}

async function end(c: HttpContext, services: AdminServices): Promise<Response> {
  const read = await readReason(c)
  if (!read.ok) return answerFailure(c, read.failure)
  const { reason } = read.value
  const overrideId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const now = services.clock()
  const ended = await endOverride(services.store, { overrideId, by, reason, now })
  if (!ended.ok) return answerFailure(c, ended.failure)
  const { changed } = ended.value
  const request_id = c.get('requestId')
  if (changed) services.log.warn('override_ended', { request_id, override_id: overrideId, by })
  return c.json({ override_id: overrideId, changed })
}

/** In the query, because many clients send no body with DELETE, or in the body. */
async function readReason(
  c: HttpContext,
): Promise<Result<{ readonly reason: string }, RequestFailure>> {
  const reason = c.req.query('reason')
  return reason === undefined ? readBody(c, reasonBody) : parseForm(reasonBody, { reason })
}
