import { Hono } from 'hono'
import { z } from 'zod'
import type { Result } from '../../base/result.ts'
import {
  endOverride,
  makeOverride,
  type OverrideRequest,
  overridesInForce,
} from '../../operations/release/overrides.ts'
import { showLosses, showOverride } from '../../views/show-control.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
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
  /** Says whom it would deny, and makes nothing. */
  dry_run: z.boolean().default(false),
}

/** An exception to make. */
export const overrideBody = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('allow'), ...members }),
  z.strictObject({
    action: z.literal('pin'),
    kind: z.enum(['policy', 'reference-values']).default('policy'),
    hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be the hash of a document'),
    ...members,
  }),
])

/** The end of one, in a body. */
export const endBody = reasonBody.extend({ dry_run: z.boolean().default(false) })
/** The same in a query. */
export const endQuery = reasonBody.extend({
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
})
type EndBody = z.infer<typeof endBody>

/** Exceptions for a device or a label, until they expire or are ended. */
export function adminOverrideRoutes(services: AdminServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { store, clock } = services

  app.get('/v1/overrides', async (c) => {
    const overrides = await overridesInForce(store, clock())
    return c.json({ overrides: overrides.map(showOverride) })
  })
  app.post('/v1/overrides', (c) => create(c, services))
  app.delete('/v1/overrides/:id', (c) => end(c, services))
  return app
}

async function create(c: HttpContext, services: AdminServices): Promise<Response> {
  const body = await readBody(c, overrideBody)
  if (!body.ok) return answerFailure(c, body.failure)
  const { target, reason, expires_at, dry_run: isDryRun } = body.value
  const what: OverrideRequest =
    body.value.action === 'pin'
      ? { action: 'pin', kind: body.value.kind, hash: body.value.hash }
      : { action: 'allow' }
  const author = c.get('client').clientId
  const made = await makeOverride(
    { ...services, counting: services.previews },
    {
      ...{ target, what, reason, author, expiresAt: new Date(expires_at), isDryRun },
      second: secondOf(c, services, body.value),
    },
  )
  if (!made.ok) return answerFailure(c, made.failure)
  const { override, losses } = made.value
  const newly_denied = showLosses(losses)
  if (override === undefined) return c.json({ newly_denied })
  services.log.warn('override_created', {
    request_id: c.get('requestId'),
    override_id: override.overrideId,
    action: what.action,
    target: `${target.kind} ${target.name}`,
    by: author,
    newly_denied: losses.devices,
  })
  return c.json({ ...showOverride(override), newly_denied }, 201)
}

async function end(c: HttpContext, services: AdminServices): Promise<Response> {
  const read = await readEnd(c)
  if (!read.ok) return answerFailure(c, read.failure)
  const { reason, dry_run: isDryRun } = read.value
  const overrideId = c.req.param('id') ?? ''
  const by = c.get('client').clientId
  const now = services.clock()
  const counting = services.previews
  const end = { overrideId, by, reason, now, isDryRun }
  const ended = await endOverride({ store: services.store, counting }, end)
  if (!ended.ok) return answerFailure(c, ended.failure)
  const { changed, losses } = ended.value
  const request_id = c.get('requestId')
  const told = { request_id, override_id: overrideId, by, newly_denied: losses.devices }
  if (changed) services.log.warn('override_ended', told)
  return c.json({ override_id: overrideId, changed, newly_denied: showLosses(losses) })
}

/** In the query, because many clients send no body with DELETE, or in the body. */
async function readEnd(c: HttpContext): Promise<Result<EndBody, RequestFailure>> {
  const query = c.req.query()
  return Object.keys(query).length === 0 ? readBody(c, endBody) : parseForm(endQuery, query)
}
