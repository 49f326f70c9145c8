import { Hono } from 'hono'
import { z } from 'zod'
import type { Services } from '../../compose/services.ts'
import { makeOverride, overridesInForce } from '../../operations/release/overrides.ts'
import { MAX_OVERRIDE_MS, type OverrideAction } from '../../rollout/override.ts'
import { showOverride } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerUnauthorized } from '../errors/problem.ts'
import { requireClient } from '../middleware/api-client.ts'
import { readBody, reasonText } from './read-body.ts'
import { awaitSecond } from './second-administrator.ts'

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

const endBody = z.strictObject({ reason: reasonText })

/** Exceptions for a device or a label, until they expire or are ended. */
export function adminOverrideRoutes(services: Services): Hono<HttpEnv> {
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

async function create(c: HttpContext, services: Services): Promise<Response> {
  const body = await readBody(c, overrideBody)
  if (!body.ok) return body.failure.answer
  const { target, reason, expires_at } = body.value
  const what: OverrideAction =
    body.value.action === 'pin'
      ? { action: 'pin', kind: body.value.kind, hash: body.value.hash }
      : { action: 'allow' }
  const waits = await awaitSecond(c, services, { body: body.value })
  if (waits !== undefined) return waits
  const author = c.get('client').clientId
  const made = await makeOverride(services.store, {
    target,
    what,
    reason,
    author,
    expiresAt: new Date(expires_at),
    now: services.clock(),
    random: services.random,
  })
  if (!made.ok) {
    const isExpiry = made.failure.reason === 'expiry_refused'
    const detail = `expires_at must be in the future, and at most ${MAX_OVERRIDE_MS / 86_400_000} days away`
    return answerProblem(c, made.failure.reason, isExpiry ? detail : undefined)
  }
  services.log.warn('override_created', {
    request_id: c.get('requestId'),
    override_id: made.value.overrideId,
    action: what.action,
    target: `${target.kind} ${target.name}`,
    by: author,
  })
  return c.json(showOverride(made.value), 201)
}

async function end(c: HttpContext, services: Services): Promise<Response> {
  const reason = await readReason(c)
  if (reason instanceof Response) return reason
  const overrideId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const answer = await services.store.endOverride({
    overrideId,
    by,
    reason,
    now: services.clock(),
  })
  if (answer === 'override_unknown') return answerProblem(c, 'override_not_found')
  const changed = answer === 'applied'
  const request_id = c.get('requestId')
  if (changed) services.log.warn('override_ended', { request_id, override_id: overrideId, by })
  return c.json({ override_id: overrideId, changed })
}

/** In the query, because many clients send no body with DELETE, or in the body. */
async function readReason(c: HttpContext): Promise<string | Response> {
  const inQuery = c.req.query('reason')
  if (inQuery !== undefined) {
    const parsed = reasonText.safeParse(inQuery)
    return parsed.success
      ? parsed.data
      : answerProblem(c, 'request_malformed', 'reason: too long or empty')
  }
  const body = await readBody(c, endBody)
  return body.ok ? body.value.reason : body.failure.answer
}
